/**
 * One program, kept warm in a process of its own; the parent gives it slices of time by messages. What the program prints
 * goes to its own stdout, which the parent drops.
 */
import { collectYoung, measure } from "./measure.ts"
import * as Program from "./Program.ts"
import type { BatchReply, KinesisEvent } from "./Program.ts"
import type { Open, Slice, SliceRequest } from "./Slice.ts"
import * as Subprocess from "./Subprocess.ts"
import * as Workload from "./workload.ts"

type Command = { readonly open: Open } | { readonly event: KinesisEvent } | { readonly slice: SliceRequest }

type Handle = (event: KinesisEvent) => Promise<BatchReply>

interface Opened {
  readonly handle: Handle
  readonly slice: (request: SliceRequest) => Promise<Slice>
}

/** What a run of batches showed. */
interface Run {
  readonly walls: ReadonlyArray<number>
  readonly failures: number
}

/** Batches made before a slice, so that making them isn't measured. */
const recordsAhead = 20_000

const open = async ({ program, surroundings, size, hitRatio, repeats, lane }: Open): Promise<Opened> => {
  const { handler } = await Program.load(program, surroundings)
  const handle: Handle = (event) => handler(event, Program.context)
  const workload = Workload.make(lane)
  let batchesPerMillisecond = 0.02
  // Opens all connections that a batch can use.
  await handle(workload.batch(100, hitRatio))

  const slice = async (request: SliceRequest): Promise<Slice> => {
    const batches = Array.from({ length: batchesAhead(request, size, batchesPerMillisecond) }, () =>
      workload.batch(size, hitRatio)
    )
    const next = supply(batches, repeats)
    // The garbage of making the batches isn't the program's.
    collectYoung()
    // Not measured: reopens connections that were closed while the others ran, and fills the processor's caches.
    const warmed = await run(handle, next, {
      milliseconds: request.warmMilliseconds,
      leastBatches: 0,
      mostBatches: repeats ? Infinity : Math.floor(batches.length / 3)
    })
    const measured = await measure(() => run(handle, next, request))
    const { walls, failures } = measured.result
    if (walls.length === 0) throw new Error("there were no batches left to measure")
    batchesPerMillisecond = Math.max(walls.length / measured.wall, 0.001)
    return {
      walls,
      failures: failures + warmed.failures,
      cpuPerRecord: measured.cpu / (walls.length * size),
      recordsPerSecond: (walls.length * size * 1000) / measured.wall,
      records: (walls.length + warmed.walls.length) * size,
      waited: measured.waited / measured.wall
    }
  }
  return { handle, slice }
}

const batchesAhead = (request: SliceRequest, size: number, perMillisecond: number) => {
  const expected = Math.ceil((request.milliseconds + request.warmMilliseconds) * perMillisecond * 2) + 1
  return Math.max(request.leastBatches, Math.min(expected, Math.ceil(recordsAhead / size)))
}

/** Gives one batch after the other; `undefined` when there are no more and none may come twice. */
const supply = (batches: ReadonlyArray<KinesisEvent>, repeat: boolean) => {
  let given = 0
  return () => batches[repeat ? given++ % batches.length : given++]
}

/** Hands over batches until the time is over or there are no more. */
const run = async (
  handle: Handle,
  supplied: () => KinesisEvent | undefined,
  {
    milliseconds,
    leastBatches,
    mostBatches = Infinity
  }: Pick<SliceRequest, "milliseconds" | "leastBatches"> & { readonly mostBatches?: number }
): Promise<Run> => {
  const walls: Array<number> = []
  let failures = 0
  const start = performance.now()
  while (walls.length < leastBatches || (walls.length < mostBatches && performance.now() - start < milliseconds)) {
    const next = supplied()
    if (next === undefined) break
    const begun = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- Lambda hands one environment one batch after the other
    const reply = await handle(next)
    walls.push(performance.now() - begun)
    failures += reply.batchItemFailures.length
  }
  return { walls, failures }
}

let opened: Opened | undefined

Subprocess.answer(async (command: Command) => {
  if ("open" in command) {
    opened = await open(command.open)
    return undefined
  }
  if (opened === undefined) throw new Error("no program is open")
  return "event" in command ? opened.handle(command.event) : opened.slice(command.slice)
})
