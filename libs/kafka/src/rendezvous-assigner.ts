import { createHash } from 'node:crypto'
import kafkajs, { type PartitionAssigner } from 'kafkajs'

/** A member of a consumer group: Kafka's id for this session, and a name that outlives it (a pod's, say). */
export interface Member {
  readonly memberId: string
  readonly name: string
}

const NAME = 'barnabas-rendezvous'
const VERSION = 1

/**
 * Who reads which partition of one Kafka topic: each partition goes to the member that ranks highest for it among those
 * with room, so a member that comes or goes moves little more than its own share. No member gets more than its even
 * share, rounded up. (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998.)
 */
export function assignPartitions(
  kafkaTopic: string,
  partitions: readonly number[],
  members: readonly Member[],
): Map<string, number[]> {
  const room = Math.ceil(partitions.length / members.length)
  const assigned = new Map<string, number[]>(members.map(({ memberId }) => [memberId, []]))
  for (const partition of partitions) {
    const ranked = members
      .map((member) => ({ member, rank: rankOf(member.name, kafkaTopic, partition) }))
      .sort(
        (left, right) => right.rank - left.rank || (left.member.memberId < right.member.memberId ? -1 : 1),
      )
    const chosen = ranked.find(({ member }) => (assigned.get(member.memberId)?.length ?? 0) < room)
    if (chosen) assigned.get(chosen.member.memberId)?.push(partition)
  }
  return assigned
}

/** Names of equal rank (two processes of one name) are told apart by Kafka's ids. */
function rankOf(name: string, kafkaTopic: string, partition: number): number {
  return createHash('sha256').update(`${name}\n${kafkaTopic}\n${partition}`).digest().readUInt32BE(0)
}

/** The assigner for kafkajs; `memberName` travels in the member's metadata. */
export const rendezvousAssigner =
  (memberName: string): PartitionAssigner =>
  ({ cluster }) => ({
    name: NAME,
    version: VERSION,
    assign: ({ members, topics }) => {
      const named = members.map(({ memberId, memberMetadata }) => ({
        memberId,
        name: nameIn(memberMetadata) || memberId,
      }))
      const byMember = new Map<string, Record<string, number[]>>(named.map(({ memberId }) => [memberId, {}]))
      for (const topic of topics) {
        const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
        const sorted = partitions.sort((left, right) => left - right)
        for (const [memberId, ofTopic] of assignPartitions(topic, sorted, named)) {
          const assignment = byMember.get(memberId)
          if (assignment && ofTopic.length > 0) assignment[topic] = ofTopic
        }
      }
      return Promise.resolve(
        [...byMember].map(([memberId, assignment]) => ({
          memberId,
          memberAssignment: kafkajs.AssignerProtocol.MemberAssignment.encode({
            version: VERSION,
            assignment,
            userData: Buffer.alloc(0),
          }),
        })),
      )
    },
    protocol: ({ topics }) => ({
      name: NAME,
      metadata: kafkajs.AssignerProtocol.MemberMetadata.encode({
        version: VERSION,
        topics,
        userData: Buffer.from(memberName, 'utf8'),
      }),
    }),
  })

function nameIn(metadata: Buffer): string {
  return kafkajs.AssignerProtocol.MemberMetadata.decode(metadata)?.userData.toString('utf8') ?? ''
}
