// What a page calls of Umami's script, which is served by an Umami and stands in no registry: see test_served_scripts.py.
window.journey = {
	custom: () => window.umami.track('plan_chosen', { plan: 'pro' }),
	identify: user => window.umami.identify(user, { plan: 'pro' }),
	purchase: () => window.umami.track('purchase', { order_id: 'o1', revenue: 49.90, currency: 'EUR' })
}
