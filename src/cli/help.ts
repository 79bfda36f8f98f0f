/**
 * The help texts.
 *
 * @module
 */
import { type Command, COMMON_FLAGS, type Flag } from "./command.ts";
import { widthOf } from "./width.ts";

/** Columns that the second column of a list needs to be set beside the first. */
const LEAST_COLUMNS = 24;

/**
 * What `nibblewise --help` prints.
 *
 * @param commands Every command.
 * @param columns Columns of the terminal, if it is one.
 * @returns Its lines.
 */
export function programHelp(
  commands: readonly Command[],
  columns?: number,
): string[] {
  return [
    "nibblewise: 4-bit quantization for JavaScript",
    "",
    "usage: nibblewise COMMAND …",
    "",
    ...listOf(
      commands.map(({ name, summary }) => ["  " + name, summary] as const),
      columns,
    ),
    "",
    "nibblewise COMMAND --help explains a command; nibblewise --version tells the version.",
    "Try it without any input: nibblewise demo",
    "Exit code 0: done; 1: the work failed; 2: the call was wrong.",
  ];
}

/**
 * What `nibblewise COMMAND --help` prints.
 *
 * @param command The command.
 * @param columns Columns of the terminal, if it is one.
 * @returns Its lines.
 */
export function commandHelp(command: Command, columns?: number): string[] {
  const usage = `usage: nibblewise ${command.name} ${command.operands}`;
  return [
    command.summary,
    "",
    usage.trimEnd() + " [flags]",
    "",
    ...listOf([...command.flags, ...COMMON_FLAGS].map(flagLine), columns),
    "",
    "examples:",
    ...command.examples.flatMap(([call, about]) => [
      `  ${about}`,
      `    nibblewise ${call}`,
    ]),
  ];
}

function flagLine({ name, short, takes, many, help }: Flag): [string, string] {
  const letter = short ? `-${short}, ` : "    ";
  const value = takes ? ` ${takes}` : "";
  return [
    `  ${letter}--${name}${value}`,
    many ? `${help} (may be repeated)` : help,
  ];
}

/** Words with what they mean beside them, broken between words to fit the terminal. */
function listOf(
  rows: readonly (readonly [string, string])[],
  columns: number = Infinity,
): string[] {
  const margin = Math.max(...rows.map(([word]) => widthOf(word))) + 2;
  const beside = columns - margin >= LEAST_COLUMNS;
  const indent = " ".repeat(beside ? margin : 6);
  return rows.flatMap(([word, text]) => {
    const [first, ...more] = broken(text, columns - indent.length);
    const rest = more.map((line) => indent + line);
    return beside
      ? [word.padEnd(margin) + first, ...rest]
      : [word, indent + first, ...rest];
  });
}

/** A text in lines of so many columns; a longer word has a line of its own. */
function broken(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && widthOf(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}
