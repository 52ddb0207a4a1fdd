/** Somebody who is not root, for programs that refuse to run as root. */
import { printed } from "./command.ts"

/** Options of `spawn`; without a uid it is the user that we are. */
export interface Account {
  readonly uid?: number
  readonly gid?: number
}

/** Ourselves; for root the user `postgres` where there is one, else `nobody`, else why there is nobody. */
export const unprivileged = (): Account | string => {
  if (process.getuid?.() !== 0) return {}
  for (const name of ["postgres", "nobody"]) {
    const [uid, gid] = [printed("id", ["-u", name]), printed("id", ["-g", name])]
    if (uid !== "" && gid !== "") return { uid: Number(uid), gid: Number(gid) }
  }
  return "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody"
}
