/**
 * What a GGUF says of special tokens: their ids, which of them surround a text, the chat template.
 *
 * Source of the rules: gguf-py's `SpecialVocab` (github.com/ggml-org/llama.cpp).
 *
 * @module
 */
import type { Json, JsonObject } from "../../files/json.ts";
import { GgufValue } from "../../files/gguf_value.ts";
import type { TokenizerFolder } from "./folder.ts";
import { contentOf } from "./vocabulary.ts";

/** Keys of the ids by the name of the token; tokens of other names are not written. */
const ID_KEYS: ReadonlyMap<string, string> = new Map([
  ["bos", "bos"],
  ["eos", "eos"],
  ["unk", "unknown"],
  // Spelled so in the format.
  ["sep", "seperator"],
  ["pad", "padding"],
  ["mask", "mask"],
  ["eot", "eot"],
  ["eom", "eom"],
]);
const ADD_KEYS: readonly string[] = ["bos", "eos", "sep"];

/** Members of JSON that may be anything: what is of another kind counts as missing, as for the reference. */
function member(json: Json | undefined, ...path: (string | number)[]) {
  let value = json;
  for (const step of path) {
    value = typeof step === "number"
      ? Array.isArray(value) ? value.at(step) : undefined
      : value instanceof Map
      ? value.get(step)
      : undefined;
  }
  return value;
}

const list = (json: Json | undefined): Json[] =>
  Array.isArray(json) ? json : [];

/** Special tokens of a folder. */
export class SpecialTokens {
  readonly #names = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"];
  readonly #ids = new Map<string, number>();
  readonly #adds = new Map<string, boolean>();
  #template: Json | undefined;
  readonly #normalizes = new Map<string, boolean>();

  /**
   * Reads what the files of a folder say.
   *
   * @param folder The folder.
   * @param tokens How many tokens there are, if ids beyond are to be left out.
   * @returns The special tokens.
   */
  static async read(
    folder: TokenizerFolder,
    tokens?: number,
  ): Promise<SpecialTokens> {
    const special = new SpecialTokens();
    const tokenizer = await folder.object("tokenizer.json");
    const config = await folder.object("tokenizer_config.json");
    const most = tokens ?? Infinity;
    // The reference takes an empty object for none.
    const settings = config?.size ? new Map(config) : undefined;
    if (tokenizer) special.#readProcessors(tokenizer, settings);
    if (settings) {
      special.#template = settings.has("chat_template")
        ? settings.get("chat_template")
        : await otherTemplate(folder);
      special.#readConfig(settings, list(tokenizer?.get("added_tokens")), most);
    }
    const model = await folder.object("config.json");
    if (model) special.#readModel(model, most);
    return special;
  }

  #setId(name: string, id: Json | undefined, most: number): void {
    if (typeof id !== "number" || !Number.isInteger(id)) return;
    if (id < 0) throw new RangeError(`the ${name} token has the id ${id}`);
    if (id < most && !this.#ids.has(name)) this.#ids.set(name, id);
  }

  /** What surrounds a text. `settings` gets the tokens that only the post-processor names. */
  #readProcessors(tokenizer: JsonObject, settings?: JsonObject): void {
    const text = (name: string) => settings?.get(name) || undefined;
    const cls = text("cls_token");
    if (settings && !text("bos_token") && cls) settings.set("bos_token", cls);
    const sep = text("sep_token");
    if (settings && !text("eos_token") && sep) settings.set("eos_token", sep);
    this.#readNormalizer(tokenizer.get("normalizer"));
    const processor = tokenizer.get("post_processor");
    const all = member(processor, "processors");
    for (const one of Array.isArray(all) ? all : [processor ?? null]) {
      const type = member(one, "type");
      if (type === "RobertaProcessing") this.#readRoberta(one, settings);
      if (type === "TemplateProcessing") this.#readTemplate(one, settings);
    }
  }

  /** Whether letters lose their case and their accents, as far as the normalizer says so. */
  #readNormalizer(normalizer: Json | undefined): void {
    const type = member(normalizer, "type");
    if (type === "Lowercase") this.#normalizes.set("lowercase", true);
    if (type === "StripAccents") this.#normalizes.set("strip_accents", true);
    if (type === "BertNormalizer") {
      for (const name of ["lowercase", "strip_accents"]) {
        const flag = member(normalizer, name);
        if (typeof flag === "boolean") this.#normalizes.set(name, flag);
      }
    }
    if (type !== "Sequence") return;
    for (const part of list(member(normalizer, "normalizers"))) {
      this.#readNormalizer(part);
    }
  }

  #readRoberta(processor: Json, settings?: JsonObject): void {
    for (const name of ADD_KEYS) this.#adds.set(name, true);
    for (const [name, otherwise] of [["cls", "bos"], ["sep", "eos"]]) {
      if (!settings || settings.get(`${name}_token`)) continue;
      const token = member(processor, name, 0) ??
        settings.get(`${otherwise}_token`);
      if (token !== undefined) settings.set(`${name}_token`, token);
    }
  }

  #readTemplate(processor: Json, settings?: JsonObject): void {
    const single = list(member(processor, "single"));
    const special = (place: Json | undefined) =>
      contentOf(member(place, "SpecialToken", "id")) || undefined;
    // As they stand: a name with settings of its own is not equal to any text, nor is it for the reference.
    const named = (name: string) => settings?.get(`${name}_token`) || undefined;
    const first = single.length > 1 ? special(single[0]) : undefined;
    const last = single.length > 1 ? special(single.at(-1)) : undefined;
    let eos = named("eos");
    if (first !== undefined) {
      if (settings) nameStart(settings, first);
      const isNamed = first === named("bos") || first === named("cls");
      this.#adds.set("bos", !settings || isNamed);
    }
    if (last !== undefined) {
      if (settings && last !== eos) this.#replaceEnd(settings, last);
      eos = last;
      this.#adds.set("eos", true);
    }
    this.#readPair(processor, settings, {
      first,
      last,
      eos,
      sep: named("sep"),
    });
  }

  /** A text ends in another token than the one that is named its end: that one ends a turn. */
  #replaceEnd(settings: JsonObject, last: string): void {
    const free = ["eot", "eom"].find((name) => !this.#names.includes(name));
    if (free !== undefined) {
      this.#names.push(free);
      const end = settings.get("eos_token");
      if (end !== undefined) settings.set(`${free}_token`, end);
    }
    settings.set("eos_token", last);
  }

  /** Whether two texts have a separator between them. */
  #readPair(
    processor: Json,
    settings: JsonObject | undefined,
    { first, last, eos, sep }: Readonly<
      Record<"first" | "last" | "eos" | "sep", Json | undefined>
    >,
  ): void {
    const pair = list(member(processor, "pair"));
    const special = (place: Json | undefined) =>
      member(place, "SpecialToken", "id") || undefined;
    const start = first !== undefined && special(pair[0]) === first ? 1 : 0;
    const stop = last !== undefined && special(pair.at(-1)) === last ? 1 : 0;
    const inner = pair.slice(start, pair.length - stop);
    if (
      member(inner[0], "Sequence", "id") !== "A" ||
      member(inner.at(-1), "Sequence", "id") !== "B"
    ) return;
    const between = inner.slice(1, -1).map(special);
    if (between.length === 0) return;
    const parts = (token: Json | undefined) =>
      token !== undefined && (token === sep || token === eos);
    const adds = parts(between[0]) && last === undefined ||
      between.length === 2 && parts(between[1]);
    this.#adds.set("sep", adds);
    if (adds && sep === undefined && settings && eos !== undefined) {
      settings.set("sep_token", eos);
    }
  }

  #readConfig(settings: JsonObject, added: readonly Json[], most: number) {
    for (const name of this.#names) {
      const adds = settings.get(`add_${name}_token`);
      if (typeof adds === "boolean") this.#adds.set(name, adds);
      const content = contentOf(settings.get(`${name}_token`));
      if (content === undefined) continue;
      const token = added.find((one) => member(one, "content") === content);
      this.#setId(name, member(token, "id"), most);
    }
  }

  #readModel(model: JsonObject, most: number): void {
    for (const name of this.#names) {
      const id = model.get(`${name}_token_id`) ??
        member(model, "text_config", `${name}_token_id`);
      this.#setId(name, id, most);
    }
  }

  /** Writes all that is known, in the reference's order. */
  write(values: Map<string, GgufValue>): void {
    for (const [name, id] of this.#ids) {
      const key = ID_KEYS.get(name);
      if (key !== undefined) {
        values.set(`tokenizer.ggml.${key}_token_id`, GgufValue.of("u32", id));
      }
    }
    for (const [name, adds] of this.#adds) {
      if (!ADD_KEYS.includes(name)) continue;
      values.set(
        `tokenizer.ggml.add_${name}_token`,
        GgufValue.of("bool", adds),
      );
    }
    writeTemplate(values, this.#template);
    for (const name of ["lowercase", "strip_accents"]) {
      const flag = this.#normalizes.get(name);
      if (flag === undefined) continue;
      values.set(
        `tokenizer.ggml.normalizer.${name}`,
        GgufValue.of("bool", flag),
      );
    }
  }
}

/** Names the token that a text starts with, where it has none of the names that there are. */
function nameStart(settings: JsonObject, first: string): void {
  const keys = ["bos_token", "cls_token"];
  if (keys.some((key) => settings.get(key) === first)) return;
  for (const key of keys) {
    if (!settings.get(key)) settings.set(key, first);
  }
}

/** The template in a file of its own. */
async function otherTemplate(
  folder: TokenizerFolder,
): Promise<Json | undefined> {
  const text = await folder.text("chat_template.jinja");
  // Python reads every line end as one.
  if (text !== undefined) return text.replace(/\r\n?/g, "\n");
  return (await folder.object("chat_template.json"))?.get("chat_template");
}

function writeTemplate(
  values: Map<string, GgufValue>,
  template: Json | undefined,
): void {
  const set = (key: string, text: string) =>
    values.set(key, GgufValue.of("string", text));
  if (typeof template === "string") set("tokenizer.chat_template", template);
  const names: string[] = [];
  let standard: string | undefined;
  for (const one of list(template)) {
    const text = member(one, "template");
    const name = String(member(one, "name") ?? "").replace(
      /[^A-Za-z0-9]/gu,
      "_",
    );
    if (name === "" || typeof text !== "string") continue;
    if (name === "default") standard = text;
    else {
      set(`tokenizer.chat_template.${name}`, text);
      if (!names.includes(name)) names.push(name);
    }
  }
  if (names.length > 0) {
    values.set(
      "tokenizer.chat_templates",
      GgufValue.array("string", names),
    );
  }
  if (standard !== undefined) set("tokenizer.chat_template", standard);
}
