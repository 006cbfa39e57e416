// What a page tells matomo.js, which is served by a Matomo and stands in no registry: see test_served_scripts.py.
window._paq = [
	['setTrackerUrl', window.COLLECTOR + '/matomo.php'], ['setSiteId', '3'], ['enableLinkTracking'], ['trackPageView']
]
window.journey = {
	navigated: () => window._paq.push(
		['setReferrerUrl', location.origin + '/first'], ['setCustomUrl', location.href],
		['setDocumentTitle', document.title], ['trackPageView']),
	custom: () => window._paq.push(['trackEvent', 'plan', 'plan_chosen', 'pro', 2.5]),
	identify: user => window._paq.push(['setUserId', user]),
	purchase: () => window._paq.push(
		['addEcommerceItem', 'S1', 'Shoe', ['Shoes'], 24.95, 2], ['trackEcommerceOrder', 'o1', 49.90, 41.93, 7.97])
}
