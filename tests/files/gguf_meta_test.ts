import { assertEquals, assertThrows } from "@std/assert";
import { parseMeta } from "../../src/files/gguf_meta.ts";
import { type GgufScalar, GgufValue } from "../../src/files/gguf_value.ts";

const parsed: readonly [
  text: string,
  key: string,
  type: string,
  value: GgufScalar | GgufScalar[],
][] = [
  ["general.name=foo", "general.name", "string", "foo"],
  ["general.name=", "general.name", "string", ""],
  ["general.url=https://a.b/?c=d", "general.url", "string", "https://a.b/?c=d"],
  ["note=5", "note", "string", "5"],
  ["note:string=a:b", "note", "string", "a:b"],
  ["k:u8=255", "k", "u8", 255],
  ["k:i8=-128", "k", "i8", -128],
  ["k:u16=65535", "k", "u16", 65535],
  ["k:i16=-32768", "k", "i16", -32768],
  ["k:u32=4294967295", "k", "u32", 4294967295],
  ["k:i32=-2147483648", "k", "i32", -2147483648],
  ["k:i32=+7", "k", "i32", 7],
  ["k:u64=18446744073709551615", "k", "u64", 2n ** 64n - 1n],
  ["k:i64=-9223372036854775808", "k", "i64", -(2n ** 63n)],
  ["k:f32=1e-5", "k", "f32", Math.fround(1e-5)],
  ["k:f64=0.1", "k", "f64", 0.1],
  ["k:bool=true", "k", "bool", true],
  ["k:bool=false", "k", "bool", false],
  ["k:[i32]=1,-2,3", "k", "array", [1, -2, 3]],
  ["k:[i32]=", "k", "array", []],
  ["k:[bool]=true,false", "k", "array", [true, false]],
  ["k:[f32]=0.5,1", "k", "array", [0.5, 1]],
  ["k:[string]=a,b,,", "k", "array", ["a", "b", "", ""]],
  ['k:[string]=["a,b","c"]', "k", "array", ["a,b", "c"]],
  ["general.alignment=64", "general.alignment", "u32", 64],
  ["general.file_type=2", "general.file_type", "u32", 2],
  [
    "general.quantization_version=2",
    "general.quantization_version",
    "u32",
    2,
  ],
  ["llama.block_count=2", "llama.block_count", "u32", 2],
  [
    "llama.attention.layer_norm_rms_epsilon=1e-5",
    "llama.attention.layer_norm_rms_epsilon",
    "f32",
    Math.fround(1e-5),
  ],
  [
    "tokenizer.ggml.add_bos_token=false",
    "tokenizer.ggml.add_bos_token",
    "bool",
    false,
  ],
  ["llama.block_count:u16=2", "llama.block_count", "u16", 2],
];

for (const [text, key, type, value] of parsed) {
  Deno.test(`--meta ${text} is ${type}`, () => {
    const [name, result] = parseMeta(text);
    assertEquals([name, result.type, result.value], [key, type, value]);
  });
}

const refused: readonly [text: string, says: string, twin: string][] = [
  ["name", 'Metadata "name" has no key; write it as key=value', "name=x"],
  ["=x", 'Metadata "=x" has no key', "k=x"],
  [":u8=1", 'Metadata ":u8=1" has no key before its type', "k:u8=1"],
  ["k:u7=1", "Metadata k has type u7; the types are u8, i8", "k:u8=1"],
  ["k:=1", "has type ;", "k:u8=1"],
  ["k:array=1", "has type array;", "k:[u8]=1"],
  ["k:[u8=1", "has type [u8;", "k:[u8]=1"],
  ["k:u8]=1", "has type u8];", "k:u8=1"],
  ["k:[[u8]]=1", "has type [[u8]];", "k:[u8]=1"],
  ["k:u8=256", "Metadata k: u8 holds 0 to 255, not 256", "k:u8=255"],
  ["k:u8=-1", "u8 holds 0 to 255, not -1", "k:u8=0"],
  [
    "k:u64=18446744073709551616",
    "not 18446744073709551616",
    "k:u64=18446744073709551615",
  ],
  ["k:i32=1.5", 'is "1.5"; i32 takes a whole number', "k:f32=1.5"],
  ["k:i32=", 'is ""; i32 takes a whole number', "k:string="],
  ["k:i32=0x10", 'is "0x10"', "k:i32=16"],
  ["k:f32=", 'is ""; f32 takes a finite number such as 1e-5', "k:f32=0"],
  ["k:f32=abc", 'is "abc"', "k:f32=1"],
  ["k:f32=NaN", 'is "NaN"', "k:f32=1e38"],
  ["k:f64=1e999", 'is "1e999"', "k:f64=1e308"],
  ["k:f32=1e39", "is beyond f32", "k:f64=1e39"],
  ["k:bool=yes", 'is "yes"; a bool is true or false', "k:bool=true"],
  ["k:[i32]=1,,2", 'is ""', "k:[i32]=1,2"],
  ["k:[u8]=1,300", "u8 holds 0 to 255, not 300", "k:[u8]=1,30"],
  ["k:[string]=[1]", "no JSON array of strings", 'k:[string]=["1"]'],
  ["k:[string]=[", "no JSON array of strings", "k:[string]=("],
  [
    "general.file_type=q4_0",
    'general.file_type is "q4_0"; u32 takes a whole number',
    "general.file_type:string=q4_0",
  ],
];

for (const [text, says, twin] of refused) {
  Deno.test(`--meta ${text} is refused, ${twin} is not`, () => {
    assertThrows(() => parseMeta(text), RangeError, says);
    parseMeta(twin);
  });
}

Deno.test("a value of the wrong JavaScript type is a TypeError", () => {
  assertThrows(() => GgufValue.of("u32", "5"), TypeError, 'not "5"');
  assertThrows(() => GgufValue.of("u32", 1.5), TypeError, "not 1.5");
  assertThrows(() => GgufValue.of("u64", 2 ** 53), TypeError, "bigint");
  assertThrows(() => GgufValue.of("f32", 5n), TypeError, "f32 takes a number");
  assertThrows(() => GgufValue.of("bool", 1), TypeError, "not 1");
  assertThrows(() => GgufValue.of("string", 1), TypeError, "not 1");
  assertThrows(() => GgufValue.array("u8", [1, true]), TypeError, "not true");
  assertEquals(GgufValue.of("u64", 2n ** 53n).value, 2n ** 53n);
  assertEquals(GgufValue.of("u32", 5n).value, 5);
  assertEquals(GgufValue.of("f32", NaN).value, NaN);
});
