// posthog-node, one gzipped batch: node posthog.mjs COLLECTOR
import { PostHog } from 'posthog-node'

const posthog = new PostHog('shop', { host: process.argv[2], flushAt: 20 })
posthog.on('error', error => { throw error })
const page = { $current_url: 'https://shop.example/shoes?utm_source=news&utm_medium=email', title: 'Shoes' }

posthog.identify({ distinctId: 'u-42', properties: { plan: 'pro' } })
posthog.capture({ distinctId: 'u-42', event: '$pageview', properties: { ...page, $referrer: 'https://search.example/' } })
posthog.capture({ distinctId: 'u-42', event: 'Order Completed', properties: {
	...page, order_id: 'o1', revenue: 49.90, currency: 'EUR',
	products: [{ product_id: 'S1', name: 'Shoe', price: 24.95, quantity: 2 }]
} })
posthog.alias({ distinctId: 'u-42', alias: 'd-1' })
posthog.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { seats: 3 } })
await posthog.shutdown()
