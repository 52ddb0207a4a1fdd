/** Somebody else's Lambda function: it knows nothing of Leat, and has a fault that only shows on AWS. */

interface KinesisEvent {
  readonly Records: ReadonlyArray<{ readonly kinesis: { readonly data: string; readonly sequenceNumber: string } }>
}

const work = async (text: string): Promise<void> => {
  if (JSON.parse(text).amount < 0) throw new Error("a negative amount")
}

/** Reports each record that failed, as the documentation of AWS shows it. */
export const handler = async (event: KinesisEvent) => {
  const batchItemFailures: Array<{ readonly itemIdentifier: string }> = []
  for (const { kinesis } of event.Records) {
    try {
      await work(atob(kinesis.data))
    } catch {
      batchItemFailures.push({ itemIdentifier: kinesis.sequenceNumber })
    }
  }
  return { batchItemFailures }
}

/** The same, but a record that fails at the head of a batch is thrown, so that AWS cuts the batch until it is alone. */
export const mended = async (event: KinesisEvent) => {
  const answer = await handler(event)
  const [failed] = answer.batchItemFailures
  const [head] = event.Records
  const isAtHead = failed !== undefined && failed.itemIdentifier === head?.kinesis.sequenceNumber
  if (isAtHead && event.Records.length > 1) throw new Error("the first record failed")
  return answer
}
