/** Damaged files of the containers that are read; `deno task fuzz` opens a million. */
import { assert } from "@std/assert";
import { CONTAINERS, fuzz } from "./container_fuzz.ts";

/** Files of each container. */
const COUNT = 4000;

for (const name of CONTAINERS) {
  Deno.test(`${COUNT} damaged files of ${name} are read within bounds or refused in one line`, async () => {
    const { read, refused } = await fuzz(name, COUNT, 20_261_125);
    // Neither side may be empty.
    assert(read > 50 && refused > 50, `${read} read, ${refused} refused`);
  });
}
