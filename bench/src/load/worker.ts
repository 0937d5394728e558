export { serve, Worker, type Commands } from '@barnabas/tools'
