/** A server in a Docker container of a test's own, on a port of loopback. */
import { execFileSync } from "node:child_process"

import { run, runs } from "./command.ts"
import { keeper } from "./keeper.ts"
import { host } from "./loopback.ts"
import type { Server } from "./server.ts"

export interface Container extends Server {
  /** Whether a command ends well inside. */
  readonly runs: (command: string, ...args: ReadonlyArray<string>) => boolean
}

/** `inside`: the port in the container. `options` go to `docker run`, `args` to the image's program. */
export const startContainer = (
  image: string,
  { port, inside, options = [], args = [] }: ContainerOptions
): Container => {
  const docker = (...words: ReadonlyArray<string>) => execFileSync("docker", words, { encoding: "utf8" }).trim()
  const id = docker("run", "--detach", "--publish", `${host}:${port}:${inside}`, ...options, image, ...args)
  const release = keeper(`docker rm --force --volumes "$1"`, id)
  let there = true
  const remove = () => {
    if (there) docker("rm", "--force", "--volumes", id)
    there = false
    release()
  }
  return {
    host,
    port,
    pid: Number(docker("inspect", "--format", "{{.State.Pid}}", id)),
    runs: (command, ...words) => runs("docker", ["exec", id, command, ...words]),
    stop: async () => {
      // Neither matters when it fails: it was not frozen, or ended by itself.
      if (there) run("docker", ["unpause", id])
      if (there) run("docker", ["stop", id])
      remove()
    },
    kill: async () => remove(),
    freeze: () => void docker("pause", id),
    thaw: () => void docker("unpause", id)
  }
}

interface ContainerOptions {
  readonly port: number
  readonly inside: number
  readonly options?: ReadonlyArray<string>
  readonly args?: ReadonlyArray<string>
}
