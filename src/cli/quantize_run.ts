/**
 * Quantizes the tensors of a file one window after another, in memory that does
 * not depend on their sizes: while one window is computed, the next is read
 * and the last is written.
 *
 * @module
 */
import { type Noise, NoiseMeter } from "../compare.ts";
import type { ByteSink } from "../files/bytes.ts";
import { decodeFloats } from "../files/floats.ts";
import type { TensorFile } from "../files/tensors.ts";
import { within } from "../numeric/finite.ts";
import { sizeOf } from "../numeric/shape.ts";
import {
  allocateSlots,
  ByteMemory,
  bytesOf,
  FloatMemory,
  leaveBusy,
  settle,
  type Slot,
} from "../stream/memory.ts";
import { readAhead } from "../stream/pipeline.ts";
import { TensorQuantizer } from "../stream/quantizer.ts";
import { type FormatTensor, StreamTensor } from "../stream/tensor.ts";
import type { WindowBytes } from "../stream/window_bytes.ts";
import { isSearched } from "../words/search.ts";
import { areaOf, valuesOf, whole, type Window } from "../words/window.ts";
import {
  BATCH_BYTES,
  batchesOf,
  type BatchJob,
  isSmall,
} from "./quantize_batch.ts";
import type { HalfSlot } from "./cast.ts";
import { copiedJobs, readCopied, roomForCopied } from "./copied.ts";
import type { Finish } from "./copy.ts";
import { located } from "./failure.ts";
import type { OutputPlan } from "./output.ts";
import type { Progress } from "./progress.ts";
import {
  type Job,
  type SmallWorker,
  type WindowJob,
  type Work,
  writeWindow,
} from "./quantize_jobs.ts";
import type { QuantizeTask, QuantizeTasks } from "./quantize_tasks.ts";
import { readToRepack, repackJobs } from "./repack_run.ts";
import { openValues, shareOf } from "./tensors.ts";
import { takesWeights } from "./weigh.ts";

/** Values that a window holds at most, if nothing forces more: 4 MiB of float32. */
const WINDOW_VALUES = 1024 * 1024;
/** Windows in memory: one is computed while the other is read. */
const SLOTS = 2;
/** Quantized windows in memory: one is filled while the other is written. */
const OUTPUTS = 2;

/** What is needed to quantize a file. */
export interface QuantizeRun {
  /** The input. */
  readonly file: TensorFile;
  /** What to do with its tensors. */
  readonly tasks: QuantizeTasks;
  /** Where everything goes. */
  readonly output: OutputPlan;
  /** Take NaN as 0 and infinities as the largest magnitude of their group. */
  readonly clamp: boolean;
  /** Values in a window; for tests. */
  readonly capacity?: number;
}

/** How a tensor came out. */
export interface TensorNoise extends Noise {
  /** By how many decibels a search made the error less than the reference's; absent where nothing was searched, or groups are larger than windows. */
  readonly gained?: number;
}

/** The error of numbers that move as they are. */
const EXACT: Noise = { rmse: 0, sqnr: Infinity };

const scratch = new FloatMemory();
const pieces = new FloatMemory();

/** Quantizes, repacks and copies everything of a file. */
export class Quantizer {
  readonly #run: QuantizeRun;
  readonly #capacity: number;
  /** By the number of the tensor in the file. */
  readonly #errors: TensorNoise[] = [];
  readonly #slots: readonly HalfSlot[];
  readonly #outputs: { parts: ByteMemory; busy: Promise<unknown> }[];
  #turn = 0;
  #last: { layout: FormatTensor; tensor: StreamTensor } | undefined;
  #worker: SmallWorker | undefined;

  /** Takes the memory that the run needs. */
  constructor(run: QuantizeRun) {
    const capacity = run.capacity ?? WINDOW_VALUES;
    this.#run = run;
    this.#capacity = capacity;
    let room = roomForCopied(run.tasks.copied, capacity);
    for (const task of run.tasks.quantized) {
      const { layout } = task;
      if (isSmall(task, capacity)) {
        room = Math.max(room, BATCH_BYTES / 4);
        continue;
      }
      const count = sizeOf(layout.shape);
      const most = count <= capacity
        ? count
        : new StreamTensor(layout).largest(capacity);
      room = Math.max(room, most);
    }
    this.#slots = allocateSlots(SLOTS, room);
    this.#outputs = Array.from({ length: OUTPUTS }, () => ({
      parts: new ByteMemory(),
      busy: Promise.resolve(),
    }));
  }

  /** How many bytes will be read in all, each counted once. */
  get bytesToRead(): number {
    let sum = 0;
    const { copied, quantized } = this.#run.tasks;
    for (const { tensor } of copied) sum += tensor.byteLength;
    for (const { tensor } of quantized) sum += tensor.byteLength;
    return sum;
  }

  /**
   * Does the work.
   *
   * @param sink Where to.
   * @param progress Told of every window.
   * @returns The error of each tensor that was quantized, by its number in the file.
   */
  async run(
    sink: ByteSink,
    progress: Pick<Progress, "add">,
  ): Promise<readonly TensorNoise[]> {
    await this.#run.output.writeFrame(sink);
    const fill = (job: Job, slot: HalfSlot) => {
      switch (job.kind) {
        case "cast":
        case "elements":
        case "copy":
          return readCopied(job, this.#run.file, slot, sink);
        case "repack":
          return readToRepack(
            job,
            slot,
            (target) =>
              this.#write({ tensor: job.to, task: job.task }, target, sink),
          );
        case "batch":
          return this.#readBatch(job, slot, sink);
        case "window":
          return this.#read(job, slot, sink);
      }
    };
    for await (const finish of readAhead(this.#jobs(), this.#slots, fill)) {
      const [name, bytes] = await finish();
      progress.add(bytes, name);
    }
    for (const task of this.#run.tasks.quantized) {
      if (sizeOf(task.layout.shape) === 0) await this.#writeEmpty(task, sink);
    }
    await settle([...this.#slots, ...this.#outputs]);
    return this.#errors;
  }

  *#jobs(): Generator<Job, void> {
    const { tasks, output } = this.#run;
    const filled = tasks.quantized.filter(({ layout: { shape } }) =>
      sizeOf(shape) > 0
    );
    for (const task of batchesOf(filled, this.#capacity)) {
      if ("kind" in task) yield task;
      else if (task.repacked) {
        const to = this.#tensorFor(task);
        yield* repackJobs(this.#run.file, task, to, this.#capacity);
        this.#errors[task.index] = EXACT;
      } else yield* this.#windowJobs(task);
    }
    const room = this.#slots[0].values.length;
    const { file } = this.#run, { copied } = tasks;
    yield* copiedJobs(file, copied, output, this.#capacity, room);
  }

  /** What it takes to quantize a tensor: made when its turn comes, as there may be very many. */
  *#windowJobs(task: QuantizeTask): Generator<WindowJob, void> {
    const values = openValues(this.#run.file, task.tensor);
    const all = this.#tensorFor(task), meter = new NoiseMeter();
    for (const matrix of task.matrices ?? [undefined]) {
      const tensor = matrix ? new StreamTensor(matrix.layout) : all;
      const quantizer = this.#quantizerFor(tensor, meter, values.tall);
      const work = { task, values, tensor, quantizer, meter, all, matrix };
      for (const job of quantizer.jobs()) {
        yield { kind: "window", work, ...job };
      }
    }
  }

  async #readBatch(
    { tasks, offset, byteLength }: BatchJob,
    slot: Slot,
    sink: ByteSink,
  ): Promise<Finish> {
    await slot.busy;
    const bytes = bytesOf(slot.values).subarray(0, byteLength);
    await this.#run.file.source.read(offset, bytes);
    return async () => {
      const output = this.#outputs[this.#turn++ % OUTPUTS];
      await output.busy;
      let done = 0;
      for (const task of tasks) {
        const { offset: start, byteLength } = task.tensor.entries[0];
        const own = bytes.subarray(start - offset, start - offset + byteLength);
        for (const writing of this.#quantizeSmall(task, own, output, sink)) {
          // The next tensor has the same memory.
          if (writing) await writing;
        }
        done += byteLength;
      }
      return [tasks[tasks.length - 1].tensor.name, done];
    };
  }

  /** Quantizes a tensor whose bytes are in memory. */
  *#quantizeSmall(
    task: QuantizeTask,
    bytes: Uint8Array,
    output: { parts: ByteMemory },
    sink: ByteSink,
  ): Generator<Promise<unknown> | undefined, void> {
    const { tensor, quantizer, meter } = this.#workerFor(task);
    const all = whole(tensor.matrix), [entry] = task.tensor.entries;
    meter.reset();
    for (const { window, take } of quantizer.jobs()) {
      const values = scratch.take(areaOf(all));
      decodeFloats(entry, bytes, values);
      const given = valuesOf(values, all, window, pieces.take);
      const done = this.#take(
        { task, tensor, window, given },
        () => take(given, output.parts),
      );
      if (done) yield this.#write({ tensor, task }, done, sink);
    }
    this.#errors[task.index] = noiseOf(meter, quantizer);
  }

  /** What quantizes a small tensor: the one before, where it has the same layout. */
  #workerFor(task: QuantizeTask): SmallWorker {
    const { layout } = task;
    if (this.#worker?.layout !== layout) {
      const tensor = this.#tensorFor(task), meter = new NoiseMeter();
      const quantizer = this.#quantizerFor(tensor, meter);
      this.#worker = { layout, tensor, quantizer, meter };
    }
    return this.#worker;
  }

  #quantizerFor(
    tensor: StreamTensor,
    meter: NoiseMeter,
    tall?: number,
  ): TensorQuantizer {
    return new TensorQuantizer(tensor, {
      capacity: this.#capacity,
      nonFinite: this.#run.clamp ? "clamp" : "throw",
      meter,
      tall,
      beside: this.#unsearched(tensor),
    });
  }

  /** The tensor as it would be without a search, so that what is gained can be told. */
  #unsearched({ of }: StreamTensor): StreamTensor | undefined {
    if (!isSearched(of.options)) return undefined;
    const { importance, ...rest } = of.options as { importance?: unknown };
    const plain = { ...rest, search: "reference" };
    const weighs = importance !== undefined &&
      takesWeights({ format: of.format, options: plain });
    const options = weighs ? { ...plain, importance } : plain;
    return new StreamTensor({ ...of, options });
  }

  /** What `take` gives; its errors tell of the tensor. */
  #take(
    { task, tensor, window, given: values }: {
      task: QuantizeTask;
      tensor: StreamTensor;
      window: Window;
      given: Float32Array;
    },
    take: () => WindowBytes | undefined,
  ): WindowBytes | undefined {
    try {
      return take();
    } catch (error) {
      const { clamp } = this.#run;
      throw located({ error, task, tensor, window, values, clamp });
    }
  }

  /** The tensor as it is cut: the one before, where it has the same layout. */
  #tensorFor({ layout }: QuantizeTask): StreamTensor {
    if (this.#last?.layout !== layout) {
      this.#last = { layout, tensor: new StreamTensor(layout) };
    }
    return this.#last.tensor;
  }

  async #read(
    { work, window, take }: WindowJob,
    slot: Slot,
    sink: ByteSink,
  ): Promise<Finish> {
    const { task, values, all, meter, quantizer, matrix } = work;
    const { row = 0, block = 0 } = matrix ?? {};
    const place = { ...window, row: window.row + row };
    const decode = await values.read(place, all.matrix, slot);
    return async () => {
      const given = decode();
      const output = this.#outputs[this.#turn++ % OUTPUTS];
      await output.busy;
      const done = this.#take(
        { task, tensor: all, window: place, given },
        () =>
          within(
            block,
            row * all.matrix.columns,
            () => take(given, output.parts),
          ),
      );
      if (done) {
        const area = { ...done.area, row: done.area.row + row };
        const written = { bytes: done.bytes, area };
        leaveBusy(output, this.#write({ tensor: all, task }, written, sink));
      }
      // That of the windows so far: the last one leaves that of the tensor.
      // What a search gained is told of whole tensors only.
      this.#errors[task.index] = matrix
        ? meter.result()
        : noiseOf(meter, quantizer);
      return [
        task.tensor.name,
        shareOf(task.tensor, window) / quantizer.passes,
      ];
    };
  }

  #write(
    { tensor, task: { index } }: Pick<Work, "tensor" | "task">,
    done: WindowBytes,
    sink: ByteSink,
  ): Promise<unknown> | undefined {
    const { output } = this.#run;
    const offsetOf = (part: string) => output.offsetOf(index, part);
    return writeWindow(tensor, done, offsetOf, sink);
  }

  /** A tensor without values still may have numbers of the whole. */
  async #writeEmpty(task: QuantizeTask, sink: ByteSink): Promise<void> {
    const tensor = new StreamTensor(task.layout), { index } = task;
    for (const [part, bytes] of Object.entries(tensor.empty())) {
      await sink.write(this.#run.output.offsetOf(index, part), bytes);
    }
    this.#errors[task.index] = new NoiseMeter().result();
  }
}

function noiseOf(meter: NoiseMeter, { gained }: TensorQuantizer): TensorNoise {
  return { ...meter.result(), ...(gained !== undefined && { gained }) };
}
