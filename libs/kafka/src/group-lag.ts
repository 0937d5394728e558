import type { Admin } from 'kafkajs'

/**
 * Records between what the group has committed and the end, by partition. Where nothing was committed, or what was
 * committed has been deleted since, counting begins at the oldest record that is there.
 */
export async function groupLag(admin: Admin, groupId: string, kafkaTopic: string): Promise<number[]> {
  const [ends, groups] = await Promise.all([
    admin.fetchTopicOffsets(kafkaTopic),
    admin.fetchOffsets({ groupId, topics: [kafkaTopic] }),
  ])
  const committed = new Map(
    groups.flatMap(({ partitions }) =>
      partitions.map(({ partition, offset }) => [partition, Number(offset)] as const),
    ),
  )
  const lags: number[] = []
  for (const { partition, low, high } of ends) {
    const from = Math.max(committed.get(partition) ?? 0, Number(low))
    lags[partition] = Math.max(Number(high) - from, 0)
  }
  return lags
}
