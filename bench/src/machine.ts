export { describeMachine, type Machine } from '@barnabas/tools'
