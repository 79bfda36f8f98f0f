import { assertEquals } from "@std/assert";
import { backend } from "../mod.ts";

// Guards the suite itself: a run meant for one backend that silently used the
// other would prove nothing.
const expected = Deno.env.get("NIBBLEWISE_BACKEND") ?? "wasm";

Deno.test(`this run of the suite uses the ${expected} backend`, () => {
  assertEquals(backend(), expected);
});
