/**
 * `formats`: what there is to choose from.
 *
 * @module
 */
import { formats } from "../formats.ts";
import { type Call, type Command, DONE, show } from "./command.ts";
import { table } from "./table.ts";
import type { Io } from "./terminal.ts";
import { bitsText } from "./text.ts";

/** The command. */
export const formatsCommand: Command = {
  name: "formats",
  summary: "List the formats",
  operands: "",
  count: 0,
  flags: [],
  examples: [["formats", "Names, sizes and errors of all formats"]],
  run,
};

function run(call: Call, io: Io): Promise<number> {
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
  return Promise.resolve(DONE);
}
