// It has no types of its own.
declare module "cluster-key-slot" {
  const slotOfKey: (key: string) => number

  // oxlint-disable-next-line import/no-default-export -- the shape of the module
  export default slotOfKey
}
