import "./src/kernels/install.ts";
import "./src/schemes/install_searches.ts";
import { useBackend } from "./src/kernels/engine.ts";
import { quantize } from "./src/quantize.ts";
const n=32;
for (const [a,b,wa,wb] of [[0.44008201360702515,0.5281949043273926,2.042376002167263e-28,3.165245626365887e-12],[0.44008201360702515,0.5281949043273926,0,1],[0,0.5281949043273926,1,1],[0.44008201360702515,0.5281949043273926,1e-10,1],[0.44008201360702515,0.5281949043273926,0,3e-12],[-0.1218395084142685,-0.12889687716960907,2.5e-10,1353076]]) {
 const values = new Float32Array(n), importance=new Float32Array(n).fill(1); values[3]=a; values[9]=b; importance[3]=wa; importance[9]=wb;
 const out=[]; for (const k of ["js","wasm"] as const){ useBackend(k); out.push((quantize(values,{format:"int4",groupSize:32,search:"optimal",importance} as any).parts as any).scales.data[0]); }
 console.log(a,b,wa,wb,out, out.map(x=>b/x));
}
