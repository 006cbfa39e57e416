// @segment/analytics-node, one batch: node segment.mjs COLLECTOR
import { Analytics } from '@segment/analytics-node'

const analytics = new Analytics({ writeKey: 'shop', host: process.argv[2], flushAt: 10 })
analytics.on('error', error => { throw error })
const who = { userId: 'u-42', anonymousId: 'd-1' }
const context = { userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0.0.0', locale: 'de-DE', ip: '198.51.100.9' }

analytics.identify({ ...who, traits: { plan: 'pro' } })
analytics.page({ ...who, context, name: 'Shoes', properties: {
	url: 'https://shop.example/shoes?utm_source=news&utm_medium=email', title: 'Shoes', referrer: 'https://search.example/'
} })
await new Promise(resolve => setTimeout(resolve, 10)) // nobody orders in the millisecond of the view
analytics.track({ ...who, context, event: 'Order Completed', properties: {
	order_id: 'o1', revenue: 49.90, currency: 'EUR',
	products: [{ product_id: 'S1', name: 'Shoe', price: 24.95, quantity: 2 }]
} })
analytics.alias({ userId: 'u-42', previousId: 'd-1' })
await analytics.closeAndFlush()
