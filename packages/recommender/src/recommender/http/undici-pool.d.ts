// The pool alone: undici's index adds 263 KB to a Lambda bundle and 20 ms to its cold start.
declare module "undici/lib/dispatcher/pool.js" {
  import { Pool } from "undici"

  // oxlint-disable-next-line import/no-default-export -- the shape of undici's own module
  export default Pool
}
