// Jitsu's script.
import { jitsuAnalytics } from '@jitsu/js'

const analytics = jitsuAnalytics({ host: window.COLLECTOR, writeKey: 'shop:secret' })
analytics.page()

window.journey = {
	navigated: () => analytics.page(),
	custom: () => analytics.track('Plan Chosen', { plan: 'pro' }),
	identify: user => analytics.identify(user, { plan: 'pro' }),
	purchase: () => analytics.track('Order Completed', {
		order_id: 'o1', revenue: 49.90, currency: 'EUR',
		products: [{ product_id: 'S1', name: 'Shoe', category: 'Shoes', price: 24.95, quantity: 2 }]
	}),
	last: () => analytics.track('Last Word')
}
