/**
 * Opens very many damaged files of every container: `deno task fuzz [COUNT [SEED]]`.
 *
 * @module
 */
import { CONTAINERS, fuzz } from "./files/container_fuzz.ts";

const [count = 1_000_000, seed = Math.floor(Math.random() * 2 ** 32)] = Deno
  .args.map(Number);
console.log(`${count} files, seed ${seed}`);
for (const name of CONTAINERS) {
  const start = performance.now();
  const { read, refused } = await fuzz(
    name,
    Math.ceil(count / CONTAINERS.length),
    seed,
  );
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${name}: ${read} read, ${refused} refused, ${seconds} s`);
}
