/**
 * How much work a tokenizer of a file may take.
 *
 * @module
 */

/**
 * Steps of encoding, each of them a comparison or a character that is written;
 * the tokenizers of real models take less than a million for the fixed text.
 *
 * Stops a pattern that backtracks without end, a chain of a million normalizers,
 * and replacements that double a text again and again.
 */
const STEPS = 50_000_000;

/** What is left of the steps. */
export class Effort {
  #left = STEPS;

  /** Takes some steps. Throws a RangeError when none are left. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) {
      throw new RangeError(
        `encoding takes more than ${STEPS} steps, the limit: a pattern backtracks too much, or a text grows without end`,
      );
    }
  }
}
