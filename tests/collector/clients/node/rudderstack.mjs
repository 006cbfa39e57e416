// @rudderstack/rudder-sdk-node, gzip as is its rule, one message a batch: node rudderstack.mjs COLLECTOR
import RudderAnalytics from '@rudderstack/rudder-sdk-node'

const analytics = new RudderAnalytics('shop', { dataPlaneUrl: process.argv[2], flushAt: 1, logLevel: 'error' })
const who = { userId: 'u-42', anonymousId: 'd-1' }
const context = { userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0.0.0', locale: 'de-DE', ip: '198.51.100.9' }
const told = call => new Promise((resolve, reject) => call(error => error ? reject(error) : resolve()))

await told(done => analytics.identify({ ...who, traits: { plan: 'pro' } }, done))
await told(done => analytics.page({ ...who, context, name: 'Shoes', properties: {
	url: 'https://shop.example/shoes?utm_source=news&utm_medium=email', title: 'Shoes', referrer: 'https://search.example/'
} }, done))
await told(done => analytics.track({ ...who, context, event: 'Order Completed', properties: {
	order_id: 'o1', revenue: 49.90, currency: 'EUR',
	products: [{ product_id: 'S1', name: 'Shoe', price: 24.95, quantity: 2 }]
} }, done))
await told(done => analytics.alias({ userId: 'u-42', previousId: 'd-1' }, done))
process.exit(0) // it keeps a timer
