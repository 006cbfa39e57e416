"""The well-known kinds of sites that send visitors: search, social, video, shopping, AI assistants.

A table of our own: the listing libraries are either years old or fetch their data when they are used. Hosts
compare in lower case, ASCII form (IDNA), without ``www.`` or ``m.``. A name that ends in ``.*`` stands for
every country's domain (``google.*``: google.com, google.de, google.co.uk, google.com.br). Any text is
accepted; nothing raises.
"""

import re
from typing import Final, Literal

Category = Literal["", "search", "social", "video", "shopping", "ai"]

# Each of these with all of its subdomains.
_SITES: Final[dict[Category, str]] = {
    "search": """
        360.cn aolsearch.com ask.com bing.com coccoc.com dogpile.com duckduckgo.com ecosia.org go.mail.ru
        kagi.com metager.de metager.org mojeek.com nova.rambler.ru parsijoo.ir petalsearch.com presearch.com
        qwant.com search.aol.com search.brave.com search.ch search.daum.net search.lycos.com search.msn.com
        search.naver.com search.seznam.cz search.yahoo.* searchencrypt.com sm.cn so.com sogou.com
        startpage.com suche.t-online.de suche.web.de swisscows.com yep.com zarebin.ir""",
    "social": """
        ameblo.jp b.hatena.ne.jp bale.ai bsky.app deviantart.com digg.com discord.com discord.gg disqus.com
        douban.com eitaa.com facebook.com fb.com fb.me flickr.com flipboard.com foursquare.com gab.com
        goodreads.com instagram.com kakao.com line.me linkedin.com livejournal.com lnkd.in m.me
        mastodon.social meetup.com messenger.com mixi.jp myspace.com news.ycombinator.com nextdoor.com
        ok.ru pin.it pinterest.* quora.com redd.it reddit.com rubika.ir skyrock.com slashdot.org snapchat.com
        t.co t.me taringa.net telegram.me telegram.org threads.com threads.net tieba.baidu.com tiktok.com
        truthsocial.com tumblr.com twitter.com viadeo.com vk.com vk.ru wa.me wechat.com weibo.cn weibo.com
        weixin.qq.com whatsapp.com x.com xiaohongshu.com xing.com yammer.com zhihu.com""",
    "video": """
        aparat.com bilibili.com dailymotion.com disneyplus.com hulu.com iqiyi.com netflix.com nicovideo.jp
        odysee.com rumble.com rutube.ru ted.com twitch.tv v.qq.com vidyard.com vimeo.com wistia.com wistia.net
        youku.com youtu.be youtube-nocookie.com youtube.com""",
    "shopping": """
        alibaba.com aliexpress.* allegro.pl bol.com cdiscount.com digikala.com ebay.* etsy.com flipkart.com
        hepsiburada.com idealo.* jd.com lazada.* mercadolibre.* mercadolivre.com.br noon.com otto.de ozon.ru
        rakuten.* shop.app shopee.* shopping.google.* shopping.yahoo.* taobao.com temu.com tmall.com torob.com
        trendyol.com walmart.com wildberries.ru zalando.*""",
    "ai": """
        bard.google.com chat.qwen.ai chatgpt.com claude.ai copilot.com copilot.microsoft.com deepseek.com
        doubao.com edgeservices.bing.com gemini.google.com grok.com kimi.com meta.ai mistral.ai moonshot.cn
        notebooklm.google.com openai.com perplexity.ai phind.com pi.ai poe.com x.ai you.com""",
}

# These hosts alone: mail, documents and other services live beside them. Also the ids of Android apps.
_HOSTS: Final[dict[Category, str]] = {
    "search": """
        baidu.com google.* cse.google.* encrypted.google.* images.google.* lens.google.* maps.google.*
        news.google.* scholar.google.* naver.com rambler.ru seznam.cz ya.ru yahoo.* yandex.*
        com.google.android.googlequicksearchbox com.microsoft.bing com.duckduckgo.mobile.android""",
    "social": """
        com.facebook.katana com.facebook.lite com.facebook.orca com.instagram.android com.instagram.barcelona
        com.linkedin.android com.pinterest com.reddit.frontpage com.snapchat.android com.twitter.android
        com.vkontakte.android com.whatsapp com.zhiliaoapp.musically org.telegram.messenger""",
    "video": "com.google.android.youtube com.vimeo.android.videoapp tv.twitch.android.app",
    "shopping": "amazon.* smile.amazon.* com.amazon.mshop.android.shopping com.ebay.mobile",
    "ai": "ai.perplexity.app.android com.anthropic.claude com.google.android.apps.bard com.openai.chatgpt",
}

# What people write into utm_source.
_NAMES: Final[dict[Category, str]] = {
    "search": """
        360 adwords aol ask baidu bing bing-ads bingads brave daum duckduckgo ecosia google google-ads
        google_ads googleads googlesearch kagi microsoft-ads microsoftads msn naver qwant rambler seznam
        sogou startpage yahoo yandex""",
    "social": """
        bluesky bsky discord facebook facebook-ads facebook_ads facebookads fb fb_ads hackernews ig insta
        instagram instagram-ads line linkedin linkedin-ads linkedin_ads linkedinads mastodon messenger meta
        meta-ads meta_ads metaads ok pinterest quora reddit snapchat telegram threads tiktok tiktok-ads
        tiktok_ads tumblr twitter vk wechat weibo whatsapp x xing zhihu""",
    "video": "aparat bilibili dailymotion hulu netflix twitch vimeo wistia youku youtube yt",
    "shopping": """
        alibaba aliexpress amazon digikala ebay etsy flipkart idealo merchantcenter pricerunner rakuten shopee
        shopping taobao torob walmart zalando""",
    "ai": "chatgpt claude copilot deepseek gemini grok kimi mistral openai perplexity",
}


def _index(table: dict[Category, str]) -> dict[str, Category]:
    return {name: category for category, names in table.items() for name in names.split()}


SITES: Final = _index(_SITES)
HOSTS: Final = _index(_HOSTS)
NAMES: Final = _index(_NAMES)

_URL = re.compile(
    r"""\s* (?: ([a-z][a-z0-9+.-]*) : )? //
        (?: [^/?\#\\]* @ )? (\[ [^\]/?\#\\]* \] | [^/?\#\\:\[\]]*)""",
    re.IGNORECASE | re.VERBOSE,
)
_BARE_HOST = re.compile(r"\s*([^\s/?#\\:@()]+\.[^\s/?#\\:@().\d][^\s/?#\\:@().]+)\s*(?:[/?#:]|\Z)")
_MIRROR = re.compile(r"\A(?:www|m)\.(?=[^.]+\.)")
_COUNTRY = re.compile(r"\.(?:com?\.[a-z]{2}|com?|[a-z]{2})\Z")


def split(url: str) -> tuple[str, str]:
    """Scheme and host of a url, in lower case; ``""`` for what is missing. ``shop.example/x`` has a host."""
    if match := _URL.match(url):
        return (match[1] or "").lower(), ascii_host(match[2])
    if match := _BARE_HOST.match(url):
        return "", ascii_host(match[1])
    return "", ""


def ascii_host(host: str) -> str:
    """The host as DNS knows it. One that cannot be a DNS name stays as it is, in lower case."""
    host = host.strip().rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host


def bare(host: str) -> str:
    """The host without ``www.`` or ``m.``."""
    return _MIRROR.sub("", host)


def is_own(host: str, own_domains: frozenset[str]) -> bool:
    """Is the host one of the domains, or a subdomain of one?"""
    return any(suffix in own_domains for suffix in _suffixes(host))


def category_of_host(host: str) -> Category:
    """``host``: as :func:`split` gives it."""
    host = bare(host)
    for name in _spellings(host):
        if name in HOSTS:
            return HOSTS[name]
    for suffix in _suffixes(host):
        for name in _spellings(suffix):
            if name in SITES:
                return SITES[name]
    return ""


def category_of_source(source: str) -> Category:
    """``source``: a campaign source in lower case, a name (``google``) or a host (``l.facebook.com``)."""
    return NAMES.get(source) or (category_of_host(split(source)[1]) if "." in source else "")


def _suffixes(host: str) -> list[str]:
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(min(len(labels), 16))]


def _spellings(host: str) -> tuple[str, str]:
    return host, _COUNTRY.sub(".*", host)
