/**
 * Post-processors of `tokenizer.json`: the special tokens around those of a text.
 *
 * @module
 */
import { quote } from "../../files/errors.ts";
import type { Json, JsonObject } from "../../files/json.ts";
import { countOf, listOf, objectOf, textOf, typeOf } from "./fields.ts";
import { contentOf } from "./vocabulary.ts";

/** Ids before and behind those of a text. */
export interface Frame {
  readonly before: readonly number[];
  readonly behind: readonly number[];
}

/**
 * Reads a post-processor.
 *
 * @param json Its description; null for none.
 * @param place Where it stands, for messages.
 * @returns What it puts around a text.
 * @throws {SyntaxError} If it is of a kind that is not known.
 */
export function readFrame(
  json: Json | undefined,
  place = "post_processor",
): Frame {
  if (json === undefined || json === null) return { before: [], behind: [] };
  const object = objectOf(json, place);
  const type = typeOf(object, place);
  switch (type) {
    case "ByteLevel":
      return { before: [], behind: [] };
    case "RobertaProcessing":
    case "BertProcessing":
      return {
        before: [pairId(object, "cls", place)],
        behind: [pairId(object, "sep", place)],
      };
    case "TemplateProcessing":
      return template(object, place);
    case "Sequence":
      return listOf(object.get("processors"), `${place}.processors`)
        .map((part, i) => readFrame(part, `${place}.processors[${i}]`))
        .reduce((done, { before, behind }) => ({
          before: [...before, ...done.before],
          behind: [...done.behind, ...behind],
        }));
  }
  throw new SyntaxError(
    `${place} is of the kind ${quote(type)}, which is not known`,
  );
}

/** Classes of transformers that put their own tokens around a text, whatever `tokenizer.json` says. */
const OWN_FRAMES =
  /^(?:Llama|CodeLlama|Gemma|Cohere|GPTNeoX)Tokenizer(?:Fast)?$/;
/** Those among them that put nothing there unless their configuration says so. */
const BARE = /^GPTNeoX/;

/**
 * What a tokenizer's class puts around a text.
 *
 * @param config What `tokenizer_config.json` holds.
 * @param ids Ids of tokens.
 * @returns What it puts there; undefined where that is for `tokenizer.json` to say.
 */
export function ownFrame(
  config: JsonObject,
  ids: ReadonlyMap<string, number>,
): Frame | undefined {
  const name = config.get("tokenizer_class");
  if (typeof name !== "string" || !OWN_FRAMES.test(name)) return undefined;
  const side = (token: string, otherwise: boolean) => {
    const content = contentOf(config.get(`${token}_token`));
    const id = content === undefined ? undefined : ids.get(content);
    const adds = config.get(`add_${token}_token`) ?? otherwise;
    return adds === true && id !== undefined ? [id] : [];
  };
  return { before: side("bos", !BARE.test(name)), behind: side("eos", false) };
}

/** The id of `["[CLS]", 101]`. */
function pairId(object: JsonObject, name: string, place: string): number {
  const pair = listOf(object.get(name), `${place}.${name}`);
  return countOf(pair[1], `${place}.${name}[1]`);
}

function template(object: JsonObject, place: string): Frame {
  const tokens = objectOf(
    object.get("special_tokens") ?? new Map(),
    `${place}.special_tokens`,
  );
  const before: number[] = [], behind: number[] = [];
  let side = before;
  const pieces = listOf(object.get("single"), `${place}.single`);
  for (const [i, json] of pieces.entries()) {
    const at = `${place}.single[${i}]`;
    const piece = objectOf(json, at);
    if (piece.has("Sequence")) {
      if (side === behind) {
        throw new SyntaxError(`${at} is a second text; one is understood`);
      }
      side = behind;
      continue;
    }
    const special = objectOf(piece.get("SpecialToken"), `${at}.SpecialToken`);
    const name = textOf(special.get("id"), `${at}.SpecialToken.id`);
    const where = `${place}.special_tokens's ${quote(name)}`;
    const ids = listOf(objectOf(tokens.get(name), where).get("ids"), where);
    for (const id of ids) side.push(countOf(id, where));
  }
  return { before, behind };
}
