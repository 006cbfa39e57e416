// Three trackers on one page, beside our own.
import { AnalyticsBrowser } from '@segment/analytics-next'
import { init } from '@plausible-analytics/tracker'
import posthog from 'posthog-js'

AnalyticsBrowser.load({ writeKey: 'shop', cdnURL: window.COLLECTOR }).page()
init({ domain: 'shop', endpoint: window.COLLECTOR + '/api/event', captureOnLocalhost: true })
posthog.init('shop', {
	api_host: window.COLLECTOR, capture_pageview: 'history_change', opt_out_useragent_filter: true
})
