// Masir tracker: docs/tracker-script.md
(() => {
	const doc = document, win = window, tag = doc.currentScript, early = win.masir, now = Date.now
	if (!tag || early?.on) return
	const site = tag.dataset.site || location.hostname
	const endpoint = tag.dataset.endpoint || new URL('/v1/hits', tag.src).href
	const TOP = /^(revenue|currency|order_id|items|score|scale|channel|campaign|title|url)$/
	const KEPT = 50, busy = new Set()
	let disk = {}, keys = [], pause = 0, timer, view, last

	const safe = f => (...args) => { try { return f(...args) } catch { } }
	const id = () => Array.from(crypto.getRandomValues(new Uint8Array(16)),
		byte => (byte + 256).toString(16).slice(1)).join('')
	const put = (key, value) => {
		try { disk[key] = value } catch { disk = { ...disk, [key]: value } } // full
		return value
	}

	// Kept on disk until acknowledged, at most a day: so long hit_id makes a repeat harmless.
	const add = (event, fields, over) => {
		const hit = {
			site, event, hit_id: id(),
			visitor_id: disk['masir.visitor'] || put('masir.visitor', id()),
			user_id: disk['masir.user'],
			time: now(), url: location.href, referrer: doc.referrer,
			title: [...doc.title].slice(0, 512).join(''),
			screen: screen.width + 'x' + screen.height, ...over
		}
		for (const name in fields) (TOP.test(name) ? hit : hit.props ??= {})[name] = fields[name]
		keys.push('masir.hit.' + hit.hit_id)
		put(keys.at(-1), JSON.stringify(hit))
		while (keys.length > KEPT) delete disk[keys.shift()]
		timer ??= setTimeout(flush, pause)
	}
	const take = () => {
		const taken = keys.filter(key => disk[key] && !busy.has(key))
		taken.forEach(key => busy.add(key))
		return taken
	}
	const text = taken => `[${taken.map(key => `${disk[key].slice(0, -1)},"sent_time":${now()}}`)}]`
	const flush = safe(() => {
		timer = clearTimeout(timer)
		const taken = take()
		if (!taken[0]) return
		const body = text(taken)
		const keepalive = body.length < 2e4 // 3 bytes each, 64 KiB outlive a page
		fetch(endpoint, { method: 'POST', body, credentials: 'omit', keepalive }).then(answer => {
			if (!answer.ok && ![400, 413].includes(answer.status)) throw 0
			taken.forEach(key => delete disk[key])
			keys = keys.filter(key => disk[key])
			pause = 0
			flush()
		}).catch(() => {
			taken.forEach(key => busy.delete(key))
			pause = Math.min(pause * 2 || 1e3, 6e4)
			timer ??= setTimeout(flush, pause)
		})
	})

	const seen = () => {
		const over = view
		view = 0
		if (over) add('page_view', 0, over)
	}
	const look = delay => { // single-page apps set the title after the url
		seen()
		const over = view = { time: now(), url: location.href, referrer: last || doc.referrer }
		last = over.url
		setTimeout(safe(() => view == over && seen()), delay)
	}
	const moved = replaced => {
		const from = new URL(last)
		if (location.pathname != from.pathname || !replaced && location.search != from.search) look(100)
	}
	const wrap = (name, replaced) => {
		const original = history[name]
		history[name] = function () {
			original.apply(this, arguments)
			safe(moved)(replaced)
		}
	}
	const on = (target, event, f) => target.addEventListener(event, safe(f))
	const start = () => {
		try { disk = localStorage; disk.length } catch { disk = {} }
		keys = Object.keys(disk).filter(key => key.startsWith('masir.hit.')
			&& (now() - /"time":(\d+)/.exec(disk[key])?.[1] < 8e7 || !delete disk[key]))
		look(0)
		wrap('pushState')
		wrap('replaceState', 1)
		on(win, 'popstate', () => moved())
		on(win, 'pageshow', event => event.persisted && look(0))
		on(doc, 'visibilitychange', () => { if (doc.hidden) { seen(); flush() } })
		on(win, 'pagehide', () => {
			seen()
			const taken = take()
			if (taken[0]) navigator.sendBeacon(endpoint, text(taken))
		})
		const masir = win.masir = safe((event, value) => {
			seen()
			if (event != 'identify') return add(event, value)
			delete disk['masir.user']
			if (value && put('masir.user', value + '')) add(event)
		})
		masir.on = 1
		early?.q?.forEach(args => masir(...args))
	}
	if (doc.prerendering) on(doc, 'prerenderingchange', start)
	else safe(start)()
})()
