/**
 * The help texts.
 *
 * @module
 */
import { type Command, COMMON_FLAGS, type Flag } from "./command.ts";
import { columnsOf } from "./table.ts";

/**
 * What `nibblewise --help` prints.
 *
 * @param commands Every command.
 * @returns The text.
 */
export function programHelp(commands: readonly Command[]): string {
  return [
    "nibblewise: 4-bit quantization for JavaScript",
    "",
    "usage: nibblewise COMMAND …",
    "",
    ...columnsOf(commands.map(({ name, summary }) => ["  " + name, summary])),
    "",
    "nibblewise COMMAND --help explains a command; nibblewise --version tells the version.",
    "Try it without any input: nibblewise demo",
    "",
  ].join("\n");
}

/**
 * What `nibblewise COMMAND --help` prints.
 *
 * @param command The command.
 * @returns The text.
 */
export function commandHelp(command: Command): string {
  const usage = `usage: nibblewise ${command.name} ${command.operands}`;
  return [
    command.summary,
    "",
    usage.trimEnd() + " [flags]",
    "",
    ...columnsOf([...command.flags, ...COMMON_FLAGS].map(flagLine)),
    "",
    "examples:",
    ...command.examples.flatMap(([call, about]) => [
      `  ${about}`,
      `    nibblewise ${call}`,
    ]),
    "",
  ].join("\n");
}

function flagLine({ name, short, takes, many, help }: Flag): string[] {
  const letter = short ? `-${short}, ` : "    ";
  const value = takes ? ` ${takes}` : "";
  return [
    `  ${letter}--${name}${value}`,
    many ? `${help} (may be repeated)` : help,
  ];
}
