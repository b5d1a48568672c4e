"""Phrases that are a whole message: courtesies, cancelling, repeating, answers to an open question. They see folded text, as in patterns.py."""

from __future__ import annotations

import re

from tightrope.understanding.patterns import Topic, any_of


def _whole(*patterns: str) -> re.Pattern[str]:
    """The message is this and nothing else but politeness and punctuation."""
    before = r"(那|那就|嗯|嗯嗯|哦|啊|请|麻烦|你好|well|oh|ah|um|so|please|hi|hello|just|actually)?[ ,，.!]*"
    after = (
        r"[ ,，.。!！~?？]*(吧|啊|呀|哦|噢|喔|了|啦|呢|哈|的|谢谢|谢了|多谢|麻烦了|please|pls|plz|thanks|thank you|thx|then|"
        r"now)?"
        r"[ ,，.。!！~?？]*(谢谢|thanks|thank you)?[ ,，.。!！~?？]*"
    )
    return re.compile(rf"^{before}(?:{'|'.join(patterns)}){after}$")


CANCEL = Topic(
    "cancel",
    _whole(
        r"算了(算了|不(查|办|问|弄|看|要|用|开|登)(了|啦)?|吧)?",
        r"(取消|退出|停止|终止|中止|停|停一下|打住|返回|放弃)(这个|当前|本次|流程|操作|办理|查询)?",
        r"(我)?不(查|办|弄|看|想查|想办|想弄|开|登|登录|做|继续|搞|需要查)了|先不(查|办|弄|看|用|开|登|登录)?(了|这个)?",
        r"((算了|(我)?不(用|想)?(查|算|办|问|弄|看)了|取消(吧|掉|了)?)[,， ]*){1,3}",
        r"先不(查|办|弄|看|登|登录)?了?[ ,，。]*(回头|以后|改天|下次|过几天|有空)(再)?(说|办|来|弄|查)",
        r"不用(查|办|弄|看|管)了?|当我没(说|问)|没事了?|改天(再说|吧)?|下次(再说|吧)?|以后再说",
        r"never ?mind( it| that| then)?([ ,]+(please )?(cancel|stop|forget|leave|drop)( (it|this|that))?)?|nvm",
        r"cancel( it| this| that| everything| please)?|(please )?stop( it| this| here)?",
        r"forget (it|about it|that|this)|quit|exit|abort|leave it|drop it|scratch that|i('ve)? changed my mind",
        r"(maybe |some )?(another time|later)|let'?s (stop|not|leave it)( here| now)?|don'?t bother|no longer needed",
        r"i don'?t want (to continue|to do (this|that)|this|it)( anymore| any more)?|go back|start over",
    ),
)

_PARTS = re.compile(r"[ ]*[,，.。;；!！~]+[ ]*")


def cancels(text: str) -> bool:
    """Whether a message only stops: one way of saying it, or several of them and a no or thanks (不用了,取消; never mind, cancel)."""
    said = [part for part in _PARTS.split(text) if part]
    if CANCEL.found(text) or not said:
        return CANCEL.found(text)
    return any(map(CANCEL.found, said)) and all(CANCEL.found(part) or NO.search(part) or THANKS.found(part) for part in said)


REPEAT = Topic(
    "repeat",
    _whole(
        r"(请|麻烦|你|能|可以|能不能|再)*(再|重新|重复)(说|讲|发|念|来|重复|讲述)?(一?遍|一次|一下)(吗|么|可以吗|好吗)?",
        r"(请|麻烦|你|能|可以|能不能)*(再|重新|重复)(说|讲|发|念)(一?遍|一次|一下)(上面|刚才|刚刚|前面|上一)的?(那|这)?(条|句|段|话)?(吗|么)?",
        r"把?(上面|刚才|刚刚|前面|上一)的?(那|这)?(条|句|段|话)?(请|麻烦|你|能|可以|能不能)*(再|重新|重复)(说|讲|发|念)(一?遍|一次|一下)(吗|么)?",
        r"重复(一下|一遍|刚才的话|上一条)?|(刚才|刚刚|上面)(你)?(说|讲|发)(的是?)?(了)?(什么|啥)",
        r"没(听|看)?(清楚?|懂|明白|到)(你(说|刚才|刚刚)?.{0,6})?|(你)?(说|讲)(的)?(什么|啥)|什么意思",
        r"(我|刚才|刚刚)*没(听|看)?(清楚?|懂|明白|到)[ ,，。]*(请|麻烦|你|能|可以|能不能|再)*(再|重新)?(说|讲|发|来|念|重复)(一?遍|一次|一下)",
        r"(sorry[ ,]*)?((can|could|would) you )?(please )?(repeat|say)( (it|that|this|what you said|yourself|again|the last message|"
        r"the question))*( one more time| once more| again)?",
        r"(come|say) again|pardon( me)?|what did you (just )?(say|ask)|(sorry )?what( was that)?",
        r"i (didn'?t|did not) (catch|get|understand|hear|see) (that|it|you|what you said)|once more|again|one more time",
    ),
)

EXPLAIN = Topic(
    "explain",
    _whole(
        r"(但是?|那|可是|请问)?(你)?(能|可以)?(告诉我|说说|解释一?下|说明一?下)?(这是|这个|这|结果)?(是)?(为什么|为啥|为何|"
        r"何故|怎么回事)(呢|啊|这样|会这样|不行|不可以)?",
        r"为(什么|啥|何)(会)?是?(这|这个|这样的?)(结果|结论)(呢|啊)?|(这|这个)?(是)?(怎么|如何)(算|得)(出来)?的(呢)?",
        r"(你?(的|这个|这|刚才|上面)*(结果|结论|判断|说法)?(的)?)?(依据|根据|理由|原因)(是|呢|是什么|是啥|在哪)*",
        r"(请)?(解释|说明)(一?下)?(这个|刚才的|上面的|你的)?(结果|结论|原因|依据|判断)",
        r"(but |so |and )?(why|why not|how come|why so|why is (that|this|it)|why('s| is) that so)",
        r"(can|could) you explain why( that is)?|(what('s| is) )?the reason( for (that|this|it))?",
        r"why (this|that) (result|verdict|conclusion)|how (did you|was this|is this) (get|compute|computed|calculated|work)( this| it| out)*",
        r"(please )?explain (this|that|the( last)?|your) (result|verdict|decision|outcome|conclusion|answer)",
        r"(what('s| is| was) )?(this|that|it) (result )?based on|based on what|on what (basis|grounds)",
    ),
)

GREET = Topic(
    "greet",
    _whole(
        r"(你|您)?(都)?(能|会|可以)(帮我|为我)?(做|干|办|处理|回答)?(些|点|哪些)?(什么|啥)(事|业务|问题|功能)?",
        r"(有|提供)(什么|哪些)(功能|服务)|帮助|(你|您)是(谁|什么|机器人吗?|人吗|真人吗)",
        r"(what can you (do|help (me )?with)( (for me|here|today))*|how can you help( me)?|help( me)?|menu|what do you do|who are you|what are you|"
        r"are you (a |an )?(bot|robot|human|ai|real( person)?))",
        r"(你|您)好(吗|啊|呀)?|(hi|hello|hey|yo|hiya)( there| you| bot| team| all)?|(早上|上午|中午|下午|晚上)好",
        r"早(安|啊|呀)?|晚安|哈喽|哈啰|嗨|在(吗|么|不在|不)|在不|您在吗|你在吗|喂",
        r"good (morning|afternoon|evening|day)|greetings|what'?s up|how are you( doing)?( today)?|howdy|are you there",
        r"anyone there",
    ),
)

THANKS = Topic(
    "thanks",
    _whole(
        r"(谢谢|好的?|多谢|感谢)[ ,，.。!！]*(再见|拜拜)|(thanks?|thank you|ok|okay|great)[ ,.!]+(good ?)?bye( bye)?",
        r"(好的?|ok|嗯|明白了|知道了|收到|懂了|了解了?|清楚了|行)?[ ,，]*(非常|十分|太|多|真的)?(谢谢|感谢|多谢|谢了|谢啦|3q"
        r"|thx)(你|您|了|啦|你们|您的(帮助|解答)|帮忙)?",
        r"(好的?|嗯嗯?|哦哦?|行|可以|明白了?|知道了|收到|懂了|了解了?|清楚了|没(有)?(别的|其他)?(问题|事)了|再见|拜拜|88|"
        r"辛苦了|不客气|好滴|好嘞)",
        r"(太好|真棒|不错|厉害|牛|棒|赞)了?",
        r"(ok|okay|great|perfect|cool|nice|good|alright|all right|fine|got it|understood|i see|makes sense|sounds good|"
        r"awesome|excellent|super|wonderful|very good|sure)(,? (thanks?|thank you|thx|cheers|ty)( so much| a lot|"
        r" very much)?)?",
        r"(many |ok )?(thanks?|thank you|thx|cheers|ty|much appreciated)( so much| a lot| very much| a bunch| for (your|"
        r"the) help| again| anyway| for that)?",
        r"that'?s (all|it|helpful|great|good)( for now)?|(good ?)?bye( bye)?|see (you|ya)",
        r"have a (good|nice|great) (day|one|evening|weekend)|no (further|more|other) questions|you'?re welcome",
    ),
)

YES = _whole(
    r"(是|是的|对|对的|对呀|没错|好|好的|好呀|好啊|行|可以|可|嗯|嗯嗯|恩|恩恩|要|要的|需要|确认|确定|同意|没问题|继续|继续吧"
    r"|请继续|接着(来|办|查)?|当然|当然可以|必须的|就这样|好滴|好嘞|中|得|成|愿意|想|没毛病)(,? ?(是|是的|对|好|好的|可以|"
    r"继续|确认|确定|要|没问题|谢谢|申请|提交|办))*",
    r"(yes|yep|yeah|yea|yup|ya|y|sure|ok|okay|k|right|correct|true|confirm|confirmed|agreed?|absolutely|definitely|of course"
    r"|certainly|go ahead|go on|continue|proceed|carry on|please do|do it|let'?s (do it|go|continue)|sounds good|fine|"
    r"alright|exactly|i (do|confirm|agree|would)|affirmative)(,? (yes|please|sure|continue|go ahead|it is|i do|that'?s right"
    r"|correct|do|let'?s (continue|go)|i (do|would)|thanks?|thank you))*",
)
NO = _whole(
    r"(不|不是|不是的|否|不要|不用|不用了|不需要|不必|不了|不行|不对|不可以|别|别了|不想|没有|不继续|不继续了|先不|先不用|"
    r"算了|不确认|不同意|错|错了|没兴趣|放弃|不好|不愿意)(,? ?(不用|不是|不要|不需要|算了|谢谢|先不用|不用了|不了))*",
    r"(no|nope|nah|n|not (really|now|yet|today|at the moment)|no way|false|wrong|incorrect|never|don'?t|do not|i (don'?t|"
    r"do not|disagree)( want (to|that|it))?|negative|not (correct|right)|that'?s (wrong|not right|incorrect)|no need|"
    r"leave it|forget it|never ?mind|nvm|rather not|i'?d rather not|skip( it)?)(,? (thanks?|thank you|please|i (don'?t|"
    r"do not)( want (to|that|it))?|no|not (now|today|really|needed|necessary)|it'?s (not|wrong|fine|ok)|don'?t|cancel|"
    r"forget it|that'?s (wrong|not right)))*",
)

NONE_OF_THEM = _whole(
    r"(都|全部?)(不|别|不用|不要|不需要|不继续|算了)(了|要|用|办|继续)*",
    r"none( of (them|these|those))?|neither( of them)?|nothing",
)

LOGIN_TOLD = Topic(
    "login_told",
    _whole(
        r"(我)?(已经?|刚刚?|都|刚才)\s*(登录|登陆|登入)",
        r"(我)?(已经?|刚刚?|都|刚才)?\s*(登录|登陆|登入)(好|上|完|成功|完成|完毕|过)?(了|啦|成功)",
        r"(i('m| am|'ve| have)? )?(just |already |now )*(logged|signed)[ -]?(in|on)( already| now| successfully)?",
    ),
)
"""That the customer has logged in, said where nobody asked: no report of a stranger's login."""

LOGGED_IN = _whole(
    r"(我)?(已经?|刚刚?|都)?\s*(登录|登陆|登|登入)(好|上|完|成功|完成|完毕|过)?(了|好了|啦|完了|成功了?)(你(再)?(查|"
    r"看)(一?下)?(吧)?)?",
    r"(我)?(已经?)?(登录|登陆|登入)(好|成功|完成|完毕)|(已经?|都)?(弄|搞|办|完|做|验证)(好|完|成|定|成功)(了|啦)?",
    r"(已|已经)?(完成|成功|好|ok|验证)(了|啦)|完成|成功|(我)?(已经?)?(登录|登陆|登入)|(我)?回来了|可以了|好了|done了",
    r"(i('m| am|'ve| have)? )?(just |already |now |all )*(done|logged[ -]?(in|on)|signed[ -]?in|finished|back|completed|"
    r"authenticated|verified)( it| that| now| already| successfully| just now)*",
    r"(i )?(just )?(logged|signed) (in|on)( now| already)?|log[ -]?in (is )?(done|complete|completed|successful|finished)",
    r"ready|all (set|done|good)|success|it'?s done|i did( it)?|ok done",
)
NOT_YET = _whole(
    r"(我)?(还)?(没|没有|未)(有)?(登录|登陆|登|登上|弄好|完成|好)(呢|好|完|成功|上)?|等(一下|一等|会儿?|下)|稍等(一下)?",
    r"马上(就好)?|还没|正在(登录|登)|在登了?",
    r"(等(一下|一等|会儿?|下)|稍等(一下)?|马上)[ ,，。]*(我)?(还|马上|就|正|正在|在)*(登录?|登陆|登着)(了|呢|中)?",
    r"((please )?(wait|hold on|hang on)( a (minute|moment|second|sec))?|one (moment|second|sec|minute))[ ,.]*"
    r"(i'?m )?(still |just )?(logging|signing) in( now)?",
    r"not yet|(please )?(wait|hold on|hang on|give me)( a| one| me)*( minute| moment| second| sec| bit)?",
    r"one (moment|second|sec|minute)",
    r"(i )?(haven'?t|have not|didn'?t|did not) (logged in|log in|finished|signed in|done it)( yet)?",
    r"still (logging in|working on it|trying)|in a (minute|moment)",
)

REQUESTED = any_of(
    r"咨询|问(一下|个)?问题|帮(我|忙)|普通|其他|别的|转人工|人工|一般|request|question|help|just (talk|ask)|general|enquir"
    r"|inquir|other"
)
ORDINALS = (
    _whole(
        r"1|一|①|第(一|1)(个|项|种)?|选(项|择)?\s*(一|1|a)|a|1号|(the )?(first|1st)( one| option)?"
        r"|(option|number|no\.?|choice) ?(1|one|a)"
    ),
    _whole(
        r"2|二|②|第(二|2)(个|项|种)?|选(项|择)?\s*(二|2|b)|b|2号|(the )?(second|2nd)( one| option)?"
        r"|(option|number|no\.?|choice) ?(2|two|b)"
    ),
    _whole(
        r"3|三|③|第(三|3)(个|项|种)?|选(项|择)?\s*(三|3|c)|c|3号|(the )?(third|3rd)( one| option)?"
        r"|(option|number|no\.?|choice) ?(3|three|c)"
    ),
)

QUESTION = re.compile(
    r"[?？]|什么|怎么|怎样|如何|多少|多久|多长|哪|吗|呢$|几[个天点号次]|为什么|为何|是否|能不能|可不可以|有没有|是不是|要不要"
    r"|区别|流程|规则|条件|步骤|介绍|说明|查一下.{0,6}规定|请问"
    r"|^(what|how|when|where|which|why|who|whose|is|are|can|could|does|do|did|will|would|should|may|tell me|explain|describe|"
    r"whats|hows)\b"
    r"|\b(what is|what are|how (do|can|to|much|many|long)|difference between|meaning of|explain|i('d| would) like to know|"
    r"want to know|wondering|tell me (about|how|what))\b"
)
