// PostHog's script. It names its own events; orders are named as Segment does.
import posthog from 'posthog-js'

const compression = new URLSearchParams(location.search).get('plain') ? { disable_compression: true } : {}
posthog.init('shop', {
	api_host: window.COLLECTOR, capture_pageview: 'history_change', autocapture: false,
	opt_out_useragent_filter: true, // or it would not speak to a browser without a head
	...compression
})

window.journey = {
	custom: () => posthog.capture('Plan Chosen', { plan: 'pro' }),
	identify: user => posthog.identify(user, { plan: 'pro' }),
	purchase: () => posthog.capture('Order Completed', {
		order_id: 'o1', revenue: 49.90, currency: 'EUR',
		products: [{ product_id: 'S1', name: 'Shoe', category: 'Shoes', price: 24.95, quantity: 2 }]
	}),
	last: () => posthog.capture('Last Word')
}
