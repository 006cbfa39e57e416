// @jitsu/js without a browser: node jitsu.mjs COLLECTOR
import { jitsuAnalytics } from '@jitsu/js'

const analytics = jitsuAnalytics({ host: process.argv[2], writeKey: 'shop:secret' })

await analytics.identify('u-42', { plan: 'pro' })
await analytics.page({ url: 'https://shop.example/shoes?utm_source=news&utm_medium=email', title: 'Shoes' })
await analytics.track('Order Completed', {
	order_id: 'o1', revenue: 49.90, currency: 'EUR',
	products: [{ product_id: 'S1', name: 'Shoe', price: 24.95, quantity: 2 }]
})
