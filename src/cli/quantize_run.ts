/**
 * Quantizes the tensors of a file one piece after another, in memory that does
 * not depend on their sizes: while one piece is computed, the next are read
 * and the last is written.
 *
 * @module
 */
import { type Noise, NoiseMeter } from "../compare.ts";
import type { ByteSink } from "../files/bytes.ts";
import { readAhead } from "../files/pipeline.ts";
import type { TensorFile } from "../files/tensors.ts";
import { allocate } from "../kernels/engine.ts";
import { clampNonFinite } from "../numeric/finite.ts";
import { rowLength } from "../numeric/shape.ts";
import { BlockQuantizer, quantizeInto } from "./blocks.ts";
import {
  COPY_BYTES,
  type CopyJob,
  copyTensor,
  type Finish,
  readCopy,
} from "./copy.ts";
import { Extent } from "./extent.ts";
import { located } from "./failure.ts";
import type { OutputPlan } from "./output.ts";
import {
  bothGrains,
  cut,
  type Grain,
  grainOf,
  type Piece,
  PIECE_VALUES,
  PieceLayout,
  roomFor,
} from "./pieces.ts";
import type { Progress } from "./progress.ts";
import type { QuantizeTask, QuantizeTasks } from "./quantize_plan.ts";
import {
  allocateSlots,
  bytesOf,
  leaveBusy,
  PartsMemory,
  settle,
  type Slot,
  ValueReader,
} from "./values.ts";

/** Pieces in memory: one is computed while the others are read. */
const SLOTS = 2;
/** Quantized pieces in memory: one is filled while the other is written. */
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
  /** Values in a piece; for tests. */
  readonly capacity?: number;
}

/** A tensor while it is quantized. */
interface Work {
  readonly task: QuantizeTask;
  readonly reader: ValueReader;
  readonly layout: PieceLayout;
  readonly grain: Grain;
  readonly meter: NoiseMeter;
  readonly quantizer: BlockQuantizer;
}

interface ValueJob {
  readonly kind: "measure" | "quantize";
  readonly work: Work;
  readonly piece: Piece;
  /** Of the group that the piece lies in, where groups have to be measured. */
  readonly extent?: Extent;
}

/** Quantizes and copies everything of a file. */
export class Quantizer {
  readonly #run: QuantizeRun;
  readonly #capacity: number;
  readonly #errors = new Map<string, Noise>();
  readonly #slots: readonly Slot[];
  #restored: Float32Array = new Float32Array(0);
  readonly #outputs: Pick<Slot, "parts" | "busy">[];
  #turn = 0;

  /** Takes the memory that the run needs. */
  constructor(run: QuantizeRun) {
    const capacity = run.capacity ?? PIECE_VALUES;
    this.#run = run;
    this.#capacity = capacity;
    const room = run.tasks.quantized.reduce((most, task) => {
      const { grain } = this.#workOn(task);
      return Math.max(most, roomFor(task.layout.shape, capacity, grain));
    }, 0);
    const copy = run.tasks.copied.length > 0 ? COPY_BYTES / 4 : 0;
    this.#slots = allocateSlots(SLOTS, Math.max(room, copy));
    this.#outputs = Array.from({ length: OUTPUTS }, () => ({
      parts: new PartsMemory(),
      busy: Promise.resolve(),
    }));
  }

  /** What it takes to quantize a tensor: made when its turn comes, as there may be very many. */
  #workOn(task: QuantizeTask): Work {
    const capacity = this.#capacity;
    const reader = new ValueReader(this.#run.file, task.tensor, capacity);
    const meter = new NoiseMeter();
    return {
      task,
      reader,
      layout: new PieceLayout(task.layout, capacity),
      grain: bothGrains(reader.grain, grainOf(task.layout, capacity)),
      meter,
      quantizer: new BlockQuantizer(
        meter,
        capacity,
        this.#run.clamp ? "clamp" : "throw",
      ),
    };
  }

  /** How many bytes will be read in all: those of groups that have to be measured twice. */
  get bytesToRead(): number {
    let sum = 0;
    for (const { tensor } of this.#run.tasks.copied) sum += tensor.byteLength;
    for (const { tensor, layout } of this.#run.tasks.quantized) {
      const { measured } = new PieceLayout(layout, this.#capacity);
      sum += tensor.byteLength * (measured ? 2 : 1);
    }
    return sum;
  }

  /**
   * Does the work.
   *
   * @param sink Where to.
   * @param progress Told of every piece.
   * @returns The error of each tensor that was quantized, by name.
   */
  async run(
    sink: ByteSink,
    progress: Pick<Progress, "add">,
  ): Promise<Map<string, Noise>> {
    await this.#run.output.writeFrame(sink);
    const fill = (job: ValueJob | CopyJob, slot: Slot) =>
      job.kind === "copy"
        ? readCopy(job, this.#run.file.source, slot, sink)
        : this.#read(job, slot, sink);
    for await (const finish of readAhead(this.#jobs(), this.#slots, fill)) {
      const [name, bytes] = await finish();
      progress.add(bytes, name);
    }
    await settle([...this.#slots, ...this.#outputs]);
    return this.#errors;
  }

  /** Memory for restored values, which is used again and again. */
  #scratch = (length: number): Float32Array => {
    if (this.#restored.length < length) this.#restored = allocate(length);
    return this.#restored;
  };

  *#jobs(): Generator<ValueJob | CopyJob, void> {
    const { tasks, output } = this.#run;
    for (const task of tasks.quantized) {
      const work = this.#workOn(task);
      yield* valueJobs(work, this.#capacity, this.#run.clamp);
    }
    const room = this.#slots[0].values.byteLength;
    for (const { tensor, name } of tasks.copied) {
      yield* copyTensor(tensor, (part) => output.offsetOf(name, part), room);
    }
  }

  async #read(job: ValueJob, slot: Slot, sink: ByteSink): Promise<Finish> {
    const { kind, work: { reader, task }, piece } = job;
    const decode = await reader.read(piece, slot);
    return async () => {
      const values = decode();
      try {
        if (kind === "measure") job.extent!.add(values);
        else await this.#quantize(job, values, sink);
        // That of the pieces so far: the last one leaves that of the tensor.
        this.#errors.set(task.tensor.name, job.work.meter.result());
      } catch (error) {
        throw this.#located(error, task, piece, values);
      }
      return [task.tensor.name, reader.bytesOf(piece)];
    };
  }

  #located(
    error: unknown,
    { tensor: { name }, layout }: QuantizeTask,
    piece: Piece,
    values: Float32Array,
  ): unknown {
    const { clamp } = this.#run;
    const { format, options } = layout;
    const nonFinite = clamp ? "clamp" : "throw";
    const attempt = (stretch: Float32Array) => {
      const shape = [stretch.length];
      const parts = new PartsMemory().carve(format.parts(shape, options));
      const into = { format: format.name, shape, options, parts };
      quantizeInto(into, stretch, nonFinite);
    };
    return located({ error, name, layout, piece, values, clamp, attempt });
  }

  async #quantize(
    job: ValueJob,
    given: Float32Array,
    sink: ByteSink,
  ): Promise<void> {
    const { work: { layout, quantizer, task: { plan } }, piece, extent } = job;
    const { format } = plan, { shape } = piece;
    const values = this.#run.clamp ? clamped(job, given) : given;
    const ranges = layout.parts(piece);
    const output = this.#outputs[this.#turn++ % OUTPUTS];
    await output.busy;
    const parts = output.parts.carve(ranges);
    const range = extent?.range(), options = layout.options(range);
    quantizer.run(
      values,
      { format, shape, options },
      { format: format.name, shape, options, parts },
      this.#scratch,
      range,
    );
    const writes = Object.entries(ranges).map(([part, { offset }]) => {
      const start = this.#run.output.offsetOf(plan.name, part);
      return sink.write(start + offset, bytesOf(parts[part].data));
    });
    leaveBusy(output, Promise.all(writes));
  }
}

/** Where groups are too long for a piece, all of a group is measured before any of it is quantized. */
function* valueJobs(
  work: Work,
  capacity: number,
  clamp: boolean,
): Generator<ValueJob, void> {
  const { task: { layout: { shape } }, layout, grain } = work;
  if (!layout.measured) {
    for (const piece of cut(shape, capacity, grain)) {
      yield { kind: "quantize", work, piece };
    }
    return;
  }
  for (const group of groups(layout, cut(shape, capacity, grain))) {
    const extent = new Extent(clamp);
    for (const kind of ["measure", "quantize"] as const) {
      for (const piece of group) yield { kind, work, piece, extent };
    }
  }
}

function* groups(
  layout: PieceLayout,
  pieces: Iterable<Piece>,
): Generator<Piece[], void> {
  let group: Piece[] = [];
  for (const piece of pieces) {
    if (
      group.length > 0 && layout.groupOf(piece) !== layout.groupOf(group[0])
    ) {
      yield group;
      group = [];
    }
    group.push(piece);
  }
  yield group;
}

/** The values of a piece without NaN and infinities. */
function clamped(job: ValueJob, values: Float32Array): Float32Array {
  const { work: { task: { layout } }, piece, extent } = job;
  if (extent) {
    extent.clamp(values);
    return values;
  }
  const group = layout.format.group(piece.shape, layout.options);
  const columns = rowLength(piece.shape);
  return clampNonFinite(values, Math.max(columns, group), group);
}
