/** What every server of a test's own can do. */
import { setTimeout as sleep } from "node:timers/promises"

export interface Server {
  readonly host: string
  readonly port: number
  readonly pid: number
  /** Ends it in good order and waits until it has ended; doing it twice is fine. */
  readonly stop: () => Promise<void>
  /** Ends it at once (SIGKILL), as a crash does, and waits until it has ended. */
  readonly kill: () => Promise<void>
  /** Stops its clock (SIGSTOP): connections stay open and nothing answers. */
  readonly freeze: () => void
  /** Lets it go on after `freeze`. */
  readonly thaw: () => void
}

/** A server that was started and may not answer yet. */
export interface Starting<S extends Server> {
  readonly server: S
  readonly name: string
  /** Whether it answers, and not another server on its port. */
  readonly answers: () => Promise<boolean>
  /** Resolves to what it printed when it has ended. */
  readonly ended: Promise<string>
}

const patience = 30_000

/** The server once it answers; one that doesn't is killed, and stopped for what it left. */
export const answering = async <S extends Server>(starting: Starting<S>): Promise<S> => {
  try {
    await answer(starting)
    return starting.server
  } catch (error) {
    await starting.server.kill()
    await starting.server.stop()
    throw error
  }
}

const answer = async ({ name, server: { port }, answers, ended }: Starting<Server>): Promise<void> => {
  const deadline = performance.now() + patience
  while (performance.now() < deadline) {
    if (await answers()) return
    const output = await Promise.race([ended, sleep(10)])
    if (output !== undefined) throw new Error(`${name} ended before it answered on port ${port}\n${output}`)
  }
  throw new Error(`${name} runs, but did not answer on port ${port} within ${patience} ms`)
}
