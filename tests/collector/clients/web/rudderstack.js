// RudderStack's script, its source configuration from the collector too.
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled'

const analytics = new RudderAnalytics()
const transport = new URLSearchParams(location.search).get('beacon') 
	? { useBeacon: true, beaconQueueOptions: { flushQueueInterval: 300 } } : {}
analytics.load('shop', window.COLLECTOR, { configUrl: window.COLLECTOR, ...transport })
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
