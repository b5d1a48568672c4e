"""The dangers that stand over everything: despair, coercion, fraud, people who need special care. Tables as in patterns.py; they see folded text.

What they find is handed to a person at once, so that each entry is meant to be right nearly always, and a question about the matter
(how do I spot a scam?) is none. docs/decisions/0006 has the order between them.
"""

from __future__ import annotations

from tightrope.understanding.patterns import Topic, any_of

_ASKED_ABOUT = any_of(
    r"防(诈骗|骗|盗)|反诈|识别(诈骗|骗局)|(怎么|如何|怎样)(防|避免|识别|判断|分辨|辨别)|是什么意思|什么(是|叫)",
    r"\bhow (do|can|to|should) (i |we |you )?(avoid|prevent|spot|recogni[sz]e|protect|tell)\b|\bwhat (is|are|does) (a |an |the )?\w+ (scam|fraud|phishing)",
    r"\bcommon (scams|frauds)\b|常见(的)?(骗局|诈骗|骗术)|骗局有哪些|诈骗(手法|套路|手段)",
)

DISTRESS = Topic(
    "distress",
    any_of(
        r"不想活|想死(?!你|了你|机)|活不下去|活不成|活着(没|有什么|还有|干)|自杀|轻生|寻短见|结束(我|自己|我自己)?的?生命|不想(再)?(醒|撑)",
        r"跳(楼|河|江)(?!价|梯)|割腕|遗书|一了百了|不如死|死了算|去死(?!板)|了结(自己|此生|一切)|没(有)?(活|盼)头",
        r"(撑|熬|坚持)不(下去|住)了|精神崩溃|(快|要|已经)崩溃|绝望|走投无路|倾家荡产|养老钱.{0,10}(没|亏)",
        r"(全|都)?亏(光|完|没)了|救命|救救我|活受罪|(想|就|才能)解脱|(发|留)(了)?(朋友圈|微信|信息|短信|信|话).{0,6}(要走|永别|诀别|告别)",
        r"\bkill(ing)? my ?self\b|suicid|\b(end|ending|take|taking) my (own )?life\b|\bend it all\b|\bwant to die\b|\bend(ing)? everything\b",
        r"\bwish i (was|were) dead\b|\bbetter off (dead|without me)\b|\blife (isn'?t|is not|ain'?t) worth|\bnothing (left )?to live for\b",
        r"\b(don'?t|do not|no longer) want to (live|be alive|be here anymore|wake up|exist)\b|\bno (reason|point) (to|in) liv",
        r"\bcan'?t go on\b|\bself[ -]?harm|\bhurt(ing)? my ?self\b|\bjump(ing)? off\b",
        r"\blost (everything|it all|all (of )?my|my (life )?savings|my (whole )?pension)|\bcan'?t cope\b",
        r"\b(i'?m|i am|feel|feeling) (so |really |completely )?(desperate|hopeless|suicidal)\b",
    ),
    any_of(r"防(诈骗|骗|盗)|反诈|跳楼价|\bsuicid\w* (squad|bomb)"),
)

COERCION = Topic(
    "coercion",
    any_of(
        r"(逼|强迫|胁迫|威胁|恐吓|勒索|敲诈|绑架)(着|迫)?(我|了我)",
        r"被.{0,6}(逼(?!近|真)|胁迫|威胁|恐吓|勒索|敲诈|绑架|软禁)(?!.{0,4}(股东|公司))",
        r"(有人|对方|他们?|她|骗子|警察|公安|检察官|法官|老师|老板|男友|老公|儿子|女儿|丈夫|追债的|讨债的).{0,8}(逼|强迫|指使|押|按)(着|住)?我",
        r"(有人|对方|他们?|她|骗子|警察|公安|检察官|法官|群里).{0,8}(让|叫|要|要求)(着)?我.{0,10}(转账|转钱|汇款|打钱|打款|转出去|把钱转|交保证金)",
        r"\b(forc|threaten|coerc|blackmail|extort|pressur|bully)(es|ed|ing|ies|ied)? me\b|\bheld (at|against)\b",
        r"\b(being|been|am|i'?m|was|got) (forced|threatened|coerced|blackmailed|extorted|held hostage)\b|\bagainst my will\b",
        r"\b(someone|somebody|they|he|she|a man|police|officer|caller)\b.{0,30}\b(making|telling|ordering|forcing|told|asked"
        r"|wants?) me (to )?.{0,12}\b(transfer|send|move|wire|pay)\b",
    ),
    any_of(r"(强制|被)(平仓|退市)(?!.{0,6}(逼|威胁))", _ASKED_ABOUT.pattern),
)

EXTORTION = any_of(r"敲诈|勒索|要挟", r"\bblackmail|\bextort")
"""Words of coercion that stand whatever the classifier makes of the money that is asked for."""

FRAUD = Topic(
    "fraud",
    any_of(
        r"(我|妈|爸|老公|老婆|家人|朋友|账户|账号)?.{0,4}被(人)?(骗|诈骗|忽悠)(了|走|光|钱|去|转)|(上|中)当(受骗)?了|遇到(了)?(骗子|诈骗)|被盗(了|号|用|刷|取|卖|转)",
        r"盗(刷|号)了?|(账户|账号|密码|手机).{0,6}被(人)?(盗|黑|改|登|劫)|(账户|资金|股票).{0,6}(不翼而飞|莫名其妙(没|少|转))",
        r"不是我(本人|自己)?(操作|买|卖|转|登录|下单|做|交易)|(转|转到|打到|划到|汇到).{0,6}安全账户",
        r"\b(i'?ve|i have|i was|i got|have|got|been|was|were|getting) (just )?(been )?(scammed|hacked|defrauded|conned|"
        r"robbed|phished)\b",
        r"\bfell for a scam\b|\breport (a |an )?(fraud|scam|phishing)\b|\bfraud on my\b",
        r"\baccount\b.{0,20}\b(hacked|compromised|taken over|stolen|broken into)\b",
        r"\b(stole|stolen|drained)\b.{0,20}\b(money|account|savings|funds)\b|\bmoney\b.{0,12}\bstolen\b",
        r"\b(wasn'?t|was not|isn'?t|not) (me who|by me|made by me|done by me)\b",
        r"\b(unauthori[sz]ed|fraudulent) (trade|transaction|login|access|transfer|order|withdrawal)|\bsafe account\b",
    ),
    _ASKED_ABOUT,
)

VULNERABLE = Topic(
    "vulnerable",
    any_of(
        r"(父亲?|母亲?|爸爸?|妈妈?|丈夫|妻子|老公|老婆|老伴|爱人|家人|爷爷|奶奶|儿子|女儿|先生|太太|户主|持有人).{0,8}(去世|过世|病逝|走了(?!了)|不在了|没了(?!钱))",
        r"(父亲?|母亲?|爸爸?|妈妈?|老伴|爷爷|奶奶|外公|外婆|姥姥|姥爷|老人家?).{0,8}(年纪大|年事已高|卧床|瘫痪|痴呆|糊涂|失明|眼睛不好|看不(清|见)|听不(清|见))",
        r"\b(father|mother|dad|mum|mom|parents?|grand(ma|pa|mother|father|parents?))\b.{0,24}\b(too old|very old|(nearly |almost )?blind|bedridden"
        r"|dementia|alzheimer\w*|hard of hearing|can(no|')t (see|hear|read))\b",
        r"\b(father|mother|dad|mum|mom|husband|wife|parents?|partner|brother|sister|grand\w+|holder|son|"
        r"daughter)\b.{0,20}\b(passed away|has died|died|is dead|deceased)\b",
    ),
)
