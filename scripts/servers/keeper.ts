/**
 * A shell that outlives this process and clears up after it, however it ended.
 *
 * It waits at a pipe that closes with this process. A listener of `exit` would not do: a signal ends a process without it.
 */
import { spawn } from "node:child_process"
import { Socket } from "node:net"

/** Runs `script` with `args` as $1, $2, … when this process has ended; the result calls that off. */
export const keeper = (script: string, ...args: ReadonlyArray<string>): (() => void) => {
  // Detached: Ctrl-C goes to the whole foreground group and would end it before its work.
  const child = spawn("/bin/sh", ["-c", `read -r _\n${script}`, "keeper", ...args], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"]
  })
  child.on("error", () => {})
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
  return () => void child.kill("SIGKILL")
}
