import "./src/kernels/install.ts";
import "./src/schemes/install_searches.ts";
import { useBackend } from "./src/kernels/engine.ts";
import { quantize, dequantize } from "./src/quantize.ts";
import { random } from "./tests/adversarial.ts";
const next = random(Number(Deno.args[0] ?? 5));
let bad=0;
for (let t=0;t<3000 && bad<6;t++){
 const n=32;
 const values = Float32Array.from({length:n},()=>next()<0.9?0:next()-0.4);
 const importance = Float32Array.from({length:n},()=>10 ** (next() * 70 - 35));
 const r: any = {};
 for (const b of ["js","wasm"] as const){ useBackend(b); const q=quantize(values,{format:"int4",groupSize:32,search:"optimal",importance} as any); const d=dequantize(q); let e=0; for(let i=0;i<n;i++) e+=importance[i]*(values[i]-d[i])**2; r[b]={s:(q.parts as any).scales.data[0], e}; }
 if (r.js.s!==r.wasm.s){ bad++; const nz=[...values].map((v,i)=>[v,importance[i]]).filter(([v])=>v!==0); console.log(t, r.js, r.wasm, JSON.stringify(nz)); }
}
