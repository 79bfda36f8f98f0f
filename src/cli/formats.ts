/**
 * `formats`: what there is to choose from.
 *
 * @module
 */
import { formats } from "../formats.ts";
import { type Call, type Command, DONE, show, UsageError } from "./command.ts";
import { FIDELITY_FLAGS, tellFidelity } from "./fidelity.ts";
import { REPACK_FLAG, tellRepack } from "./repack_table.ts";
import { table } from "./table.ts";
import type { Io } from "./terminal.ts";
import { bitsText } from "./text.ts";

/** The command. */
export const formatsCommand: Command = {
  name: "formats",
  summary: "List the formats",
  operands: "",
  count: 0,
  flags: [REPACK_FLAG, ...FIDELITY_FLAGS],
  examples: [
    ["formats", "Names, sizes and errors of all formats"],
    [
      "formats --fidelity model.safetensors --tensors '*.0.*query.weight'",
      "What each format and search keeps of a tensor",
    ],
    ["formats --repack", "Where the numbers of each format can go as they are"],
  ],
  run,
};

async function run(call: Call, io: Io): Promise<number> {
  const path = call.get("fidelity");
  const tied = FIDELITY_FLAGS.find(({ name }) =>
    name !== "fidelity" && (call.has(name) || call.all(name).length > 0)
  );
  if (path === undefined && tied) {
    throw new UsageError(
      `Flag --${tied.name} takes effect with --fidelity FILE only`,
    );
  }
  if (path !== undefined && call.has("repack")) {
    throw new UsageError(
      "Flag --repack takes no --fidelity: ask one at a time",
    );
  }
  if (path !== undefined) await tellFidelity(call, io, path);
  else if (call.has("repack")) tellRepack(call, io);
  else list(call, io);
  return DONE;
}

function list(call: Call, io: Io): void {
  const all = [...formats.values()];
  show(
    call,
    io.out,
    () => ({
      formats: all.map((
        {
          name,
          groupSize,
          bitsPerValue,
          errorBound,
          summary,
          source,
          options,
        },
      ) => ({
        name,
        groupSize,
        bitsPerValue,
        errorBound,
        summary,
        source,
        options,
      })),
    }),
    (columns) =>
      table(
        ["format", "group", "bits", "error at most", "what it is"],
        all.map(({ name, groupSize, bitsPerValue, errorBound, summary }) => [
          name,
          String(groupSize),
          bitsText(bitsPerValue),
          `${(errorBound * 100).toFixed(1)}% of max`,
          summary,
        ]),
        ["left", "right", "right", "right", "left"],
        columns,
      ),
  );
}
