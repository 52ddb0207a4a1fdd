/* oxlint-disable no-console -- a bench prints */
/**
 * Reading and writing a list of 20 ids: `CacheCodec` beside `JSON`. `node packages/core/bench/CacheCodec.bench.ts`
 *
 * CPU time of this process, rounds in turn, the least of all rounds: other processes can only add to it.
 */
import * as CacheCodec from "../src/CacheCodec.ts"

const lists = Array.from({ length: 200 }, (_, user) =>
  Array.from({ length: 20 }, (_item, i) => 1 + ((user * 7_919 + i * 104_729) % 60_000))
)
const written = lists.map((list) => Buffer.from(JSON.stringify(list)))
const codec = CacheCodec.ints({ max: 1_000_000, maxLength: 100 })
const packing = CacheCodec.packedInts({ max: 1_000_000, maxLength: 100 })
const packed = lists.map((list) => packing.encode(list))

const contenders: ReadonlyArray<readonly [string, (i: number) => { readonly length: number }]> = [
  ["decode: JSON.parse(latin1)", (i) => JSON.parse((written[i] ?? written[0] ?? Buffer.of()).toString("latin1"))],
  ["decode: CacheCodec.ints", (i) => codec.decode(written[i] ?? Buffer.of()) ?? []],
  ["decode: CacheCodec.packedInts", (i) => packing.decode(packed[i] ?? Buffer.of()) ?? []],
  ["encode: Buffer.from(JSON.stringify)", (i) => Buffer.from(JSON.stringify(lists[i]))],
  ["encode: CacheCodec.ints", (i) => codec.encode(lists[i] ?? [])],
  ["encode: CacheCodec.packedInts", (i) => packing.encode(lists[i] ?? [])]
]

const rounds = 30
const turns = 100
const least = new Map<string, number>()
let length = 0
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of contenders) {
    const start = process.cpuUsage()
    for (let turn = 0; turn < turns; turn++) for (let i = 0; i < lists.length; i++) length += run(i).length
    const { user, system } = process.cpuUsage(start)
    const nanos = ((user + system) * 1_000) / (turns * lists.length)
    least.set(name, Math.min(nanos, least.get(name) ?? Infinity))
  }
}
for (const [name, nanos] of least) console.log(`${name.padEnd(40)} ${nanos.toFixed(0).padStart(5)} ns`)
if (length === 0) console.log("nothing was read")
