// @umami/node: node umami.mjs COLLECTOR
import { Umami } from '@umami/node'

const umami = new Umami({ websiteId: 'shop', hostUrl: process.argv[2] })
const page = { hostname: 'shop.example', url: '/shoes?utm_source=news', title: 'Shoes', referrer: 'https://search.example/' }
await umami.track(page)
await umami.track({ ...page, name: 'plan_chosen', data: { plan: 'pro' } })
await umami.track({ ...page, name: 'purchase', data: { order_id: 'o1', revenue: 49.90, currency: 'EUR' } })
await umami.identify({ plan: 'pro' })
