import { once } from "node:events"
import { fileURLToPath } from "node:url"

import * as Cores from "./Cores.ts"

/** A Node program in a process of its own, which answers commands one after the other. */
export interface Subprocess {
  /** Rejects with what the program threw, or that its process ended. */
  readonly ask: <A>(command: object) => Promise<A>
  readonly close: () => Promise<void>
}

type Answer<A> = { readonly result: A } | { readonly failed: string }

/** Starts a program that calls {@link answer}, on the measured core. What it prints is dropped; its errors are shown. */
export const start = (file: URL, nodeOptions: ReadonlyArray<string>): Subprocess => {
  const child = Cores.start(Cores.measured, process.execPath, [...nodeOptions, fileURLToPath(file)], {
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  const ask = <A>(command: object) =>
    new Promise<A>((resolve, reject) => {
      const onExit = () => {
        child.off("message", onMessage)
        reject(new Error("the program's process ended"))
      }
      const onMessage = (answer: Answer<A>) => {
        child.off("exit", onExit)
        if ("failed" in answer) reject(new Error(answer.failed))
        else resolve(answer.result)
      }
      child.once("exit", onExit)
      child.once("message", onMessage)
      child.send(command)
    })
  const close = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, "exit")
    child.kill()
    await gone
  }
  return { ask, close }
}

/** The child's side: answers every command of the parent, and ends with it. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the child names the commands that its parent sends
export const answer = <Command>(work: (command: Command) => Promise<unknown>) => {
  process.on("message", (command: Command) => {
    work(command).then(
      (result) => void (process.connected && process.send?.({ result })),
      (cause: unknown) => void (process.connected && process.send?.({ failed: describe(cause) }))
    )
  })
  process.once("disconnect", () => process.exit(0))
}

const describe = (cause: unknown) => (cause instanceof Error ? (cause.stack ?? cause.message) : String(cause))
