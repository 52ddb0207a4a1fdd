/** Arrays as parameters, in the binary format of their type. */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"

type Of<A> = (values: ReadonlyArray<A | null>) => PgTypes.Parameter

const array =
  (oid: number) =>
  (values: ReadonlyArray<unknown>): PgTypes.Parameter =>
    Result.getOrThrow(PgTypes.array(values, oid))

export const texts: Of<string> = array(PgTypes.OID.text)

export const ints: Of<number> = array(PgTypes.OID.int4)

/** Numbers that may be larger than 2^31, such as positions: exact up to 2^53. */
export const numbers: Of<number> = array(PgTypes.OID.float8)

export const booleans: Of<boolean> = array(PgTypes.OID.bool)

export const bytes: Of<Uint8Array> = array(PgTypes.OID.bytea)
