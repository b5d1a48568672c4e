"""The tables of high-precision patterns, Chinese and English. They see folded text (normalise.folded): lower case, simplified, one line.

Each entry is `Topic(name, matches, unless)`: a message has the topic when one of `matches` is found and none of `unless`. Gaps are bounded (`.{0,20}`), so
that every pattern takes linear time. What decides between topics is in rules.py; phrases.py
holds those that a whole message has to match.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A thing said: found by any of `matches`, unless one of `unless` is found too."""

    name: str
    matches: re.Pattern[str]
    unless: re.Pattern[str] | None = None

    def found(self, text: str) -> bool:
        """Whether the folded text says it."""
        return self.matches.search(text) is not None and (self.unless is None or self.unless.search(text) is None)


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern that finds what any of these finds."""
    return re.compile("|".join(patterns))


SYNTAX = Topic(
    "syntax",
    any_of(
        r"\b(start ?flow|set ?slots?|cancel ?flow|disambiguate ?flows?|correct ?slots?|human ?handoff|search ?and ?reply|"
        r"repeat ?last ?bot ?messages?)\s*\(",
        r"\bstart flow\b|\bset slots?\b|\bdisambiguate flows?\b",
        r"^[\"'`\s]*(cancel flow|search and reply|repeat message|provide info|offtopic reply)[\"'`\s.]*$",
        r"^/\s*[a-z_]+|\{\{|\{%|\"(commands?|role|flows?|slots?|message|content)\"\s*:|<\|[a-z_]+\|>|\[/?inst\]",
        r"\b(ignore|disregard|forget)\b.{0,20}\b(previous|prior|above|all|your|system)\b.{0,20}\b(instruction|prompt|rule|"
        r"message)s?",
        r"(忽略|无视|忘掉|忘记).{0,10}(之前|以上|上面|前面|所有|你的).{0,10}(指令|提示|规则|设定)|\bsystem prompt\b",
        r"系统提示词|\bjailbreak\b",
    ),
)

LOOK_UP = Topic("look_up", any_of(r"^(查看资料|look up) ?: ?\S"))
"""What the buttons send that offer a passage of the knowledge base (knowledge/compose/decide.py); its title may name any journey."""

COMPLAINT = Topic(
    "complaint",
    any_of(
        r"(我|必须|直接|马上|立刻|坚决|那就|就|还)?(要|想|得|去)(去|向.{0,8})?(投诉|举报|起诉|告)(?!(流程|渠道|电话|的?处理|"
        r"的?结果|记录|进度|热线|邮箱|怎么|如何|诉))",
        r"^(投诉|举报)[!！.。]*$|投诉(你们?|他|她|客户经理|客服|贵司|这个|一下|到证监)|举报(你们?|他|她|客户经理|贵司)",
        r"(曝光|告到|告你|起诉|维权)|(给|赔)(我|客户)(一?个)?(说法|交代|赔偿|损失)|赔(我|偿我)",
        r"(服务|态度|体验|系统|软件|app|平台|公司|客服|你们)(实在|真的?|也|都|简直|可)?太(差|烂|垃圾|坑|恶劣|恶心|离谱|过分|"
        r"不像话)",
        r"太(坑|不像话|过分|离谱|恶劣|欺负人)了",
        r"(垃圾|破|烂|黑心|无良)(平台|公司|软件|券商|app|系统|客服)|什么(破|垃圾|烂)",
        r"你们(是|就是|这群|这帮)?(在)?(骗|坑|忽悠)(人|子|我|钱)?|乱扣(我)?(费|钱)|(非常|很|极其|十分|特别)不满",
        r"\b(file|make|lodge|raise|submit|register|log) (a |an |my |this )?(formal |official |serious )?complaint\b",
        r"\b(want|need|like|going|here) to complain\b|\bi('?m| am) complaining\b|^complaint[.!]*$",
        r"\bthis is a (formal )?complaint\b",
        r"\b(this|it|that|your \w+|you|service|app)('s| is| are| was)? (just |simply |so |absolutely |completely |totally |"
        r"really )?(unacceptable|outrageous|ridiculous|disgraceful|terrible|awful|appalling|pathetic|useless|garbage|"
        r"rubbish)\b",
        r"\b(worst|terrible|awful|horrible|appalling|disgusting|lousy) (service|app|broker|brokerage|company|support|"
        r"experience|platform)\b",
        r"\b(sue|suing) (you|this)\b|\bmy lawyer\b|\breport (you|this|your)\b.{0,20}\b(csrc|regulator|authorit|police)",
        r"\b(rip[- ]?off|ripped me off|cheat(ed|ing) me|demand (a )?(compensation|refund)|want (my )?(money back|"
        r"compensation|a refund)|fed up|very (unhappy|dissatisfied|disappointed|angry))\b",
        r"\bnot (at all )?(happy|satisfied) with (your|the|this|how)\b",
        r"\b(you|you guys|you people) (are|'re) (scammers|thieves|crooks|cheats)\b",
    ),
    any_of(
        r"(怎么|如何|怎样|哪里|去哪儿?|在哪儿?|哪个).{0,6}(投诉|举报)(?!你)",
        r"(投诉|举报).{0,6}(流程|渠道|电话|热线|邮箱|多久|几天|时限|处理时间|怎么处理|会怎么|方式|入口)",
        r"\bhow (do|can|to|does|long|should)\b.{0,30}\bcomplaints?\b|\bwhere (do|can|to|should)\b.{0,20}\bcomplain",
        r"\bcomplaints? (process|procedure|policy|channel|hotline|handling|take)",
        r"(不|没)(是|想|打算)(要)?(投诉|举报)",
        # Anger beside a plain wish: the wish is served.
        r"^(?!.*(投诉|举报)).*(销户|注销.{0,6}(账户|户头|号))|^(?!.*complain).*\bclos(e|ing) (down )?(my|the|this) (\w+ ){0,2}account\b",
    ),
)

PERSON = Topic(
    "person",
    any_of(
        r"转(接|到|给)?\s*(一下)?(人工|客服|真人|坐席|专员|经理|人)",
        r"(找|要|叫|换|接|连|联系|接通|呼叫|召唤|需要|想和|想跟|想找|请|给我|来个|派)(一下|个|位|一个|一位|到|你们的?|"
        r"我的)?\s*(人工|真人|活人|客服|坐席|客户经理|投顾|专员|工作人员|业务员)",
        r"^人工(客服|服务|坐席|台)?[!！.。呢吧]*$|^(真人|活人|客服)(客服|呢|在吗|在不在|服务)?[!！?？.。]*$",
        r"(客服|人工|真人|有人|活人)(在吗|在不在|在线吗)|^有(没有)?人(吗|在吗|没有|不)?[?？]*$",
        r"有(没有)?(真人|活人|人工)(客服)?(吗|么|可以)?|叫(你们)?(领导|经理|人)来",
        r"(跟|和|同|与)(一个|个|你们|一位)?(真人|活人|人工|客服|人|客户经理|工作人员)(直接)?(聊|说|谈|讲|沟通|对话|通话)",
        r"(不想|不要|别|不愿意|懒得)(再)?(跟|和|让|同)(你这个?)?(机器人?|ai)",
        r"\b(talk|speak|chat|connect|transfer|switch|get|put|pass|hand|refer|escalate)\b.{0,24}\b(human|real person|"
        r"live person|person|(live )?agent|representative|rep|someone|somebody|operator|advis[eo]r|staff|manager|supervisor|"
        r"customer service|support team|human being)\b",
        r"^(a )?(real |live )?(human|agent|representative|rep|operator|person|customer service|customer support|"
        r"support agent)( please| pls| now)?[.!?]*$",
        r"\b(live|human|real) (agent|chat|person|support|operator|representative|human|help|being)\b",
        r"\b(want|need|like|give me|is there|get me|any)\b (to have )?(an? |the |some |any )?(actual |real |live )?(human|"
        r"agent|representative|operator|person|human being)\b(?! (to|can|who) open)",
        r"\b(stop|no more|not|hate|tired of) (this |the |a |talking to (a |this )?)?(ro)?bots?\b|\bcall me back\b",
        r"\bhave someone call\b",
    ),
    any_of(
        r"(不要|不用|别|不想|无需|不需要|先不|不必)(再|给我|帮我|急着|麻烦)?\s*(转|找|接|联系)?(到|给)?\s*(人工|客服|"
        r"真人)(?!客服.{0,4}投诉)",
        r"(人工|客服|经理).{0,6}(几点|什么时候|何时|时间|电话|号码|收费|热线|多少钱|上班|下班|上岗)",
        r"(电话|热线|几点|上班).{0,6}(人工|客服)",
        r"\b(don'?t|do not|no need to|not) (want |need )?(to )?(talk|speak|chat|transfer|connect|be (transferred|connected))",
        r"\b(agent|support|service|customer service) (hours|phone|number|opening)",
        r"\b(hours|phone number|hotline)\b.{0,20}\b(agent|support|service)",
        r"\b(open|transfer|share|trade|hold|move)\b.{0,30}\b(account|shares|stock|holdings|assets)\b.{0,20}\b(for|to|with|"
        r"from) (another|someone|somebody|a different|other) ?(else|person|one)?",
    ),
)

_FEES = r"手续费|费率|费用|佣金|利率|利息|印花税|过户费|保证金比例|担保比例|\b(fee|fees|commission|interest|rates?|charges?|margin ratio|stamp (duty|tax))\b"

ADVICE = Topic(
    "advice",
    any_of(
        r"推荐.{0,10}(股|基金|票|etf|板块|产品|理财|标的|债|龙头|行业|组合)|(荐|选)(个|只|支|几只|点)?(股|票)",
        r"(哪|那)(些|个|只|几只|一只)(股票?|票|基金)?(该|应该|要)(留|割|卖|抛|清|拿|持有|换|补)|(留|割|卖|换)(哪|那)(些|个|只|几只)",
        r"(股|基金|票|etf|板块|产品|理财|标的)[^,，。?？]{0,6}推荐|(给|跟|帮)我?推荐(一|几|两|点|个|下)",
        r"有(什么|啥|没有)好?(的)?(股票|票|基金)(推荐|可以买|值得)?",
        r"(该不该|要不要|应该|应不应该|该|是否应该|是不是该|是不是应该|是否该|值不值得|值得|适不适合|适合)(现在|今天|马上|"
        r"赶紧|继续|再)?[^,，。?？]{0,4}(买|卖|入手|抛|加仓|减仓|清仓|满仓|空仓|抄底|持有|割肉|止损|止盈|建仓|补仓|上车|追|"
        r"投(?!诉|资者)|进场|入场|做空|做多)",
        r"(现在|今天|明天|这个?(价|点)位?|目前|最近|此时).{0,6}(能|可以|适合|是不是|合适).{0,4}(买|入手?|抄底|上车|加仓|卖|"
        r"抛|进场|入场|建仓)(吗|么|不|入吗|进吗|的?时机|点|了吗)",
        r"还能(买|涨|跌|拿|追|上车|加仓)|(能|可以)(抄底|上车|加仓|满仓|梭哈|追高)(吗|么|不|了)",
        r"涨还是跌|(看涨|看跌|看多|看空|牛市|熊市)(吗|么|还是|什么时候|来)",
        r"(走势|行情|前景|后市|大盘|市场|点位)(预测|怎么看|如何|怎么样|怎样|会怎|分析|判断|好不好)",
        r"怎么看(待)?.{0,12}(股|板块|行情|走势|大盘|后市|基金|公司)|预测.{0,10}(股|行情|走势|大盘|指数|价格|涨|跌)|目标价",
        r"(买|卖|入场|进场|抄底|出手|加仓)点在?哪?(位|里)?|(买|卖)点(是|在|到)",
        r"(什么时候|啥时候|何时|什么时机|什么价位|多少钱|到多少)[^,，。?？]{0,4}(买入?|卖出?|抄底|出手|入场|进场|加仓|减仓|"
        r"上车|抛|清仓)(比较|最|合适|划算|好|吗|$|[?？])",
        r"(买|选|投|配)(哪|什么|啥)(一?(只|个|支|些|家|几)|股票?|基金|板块|票)?.{0,4}(好|赚|稳|涨|合适|划算|$|[?？])",
        r"(哪|那)(只|支|几只|一只|(个|些|几个|家|一个)(板块|股|基金|票|etf|行业|赛道|公司|指数))[^,，。?？]{0,8}(好|值得|"
        r"会涨|能涨|赚钱|有潜力|最稳|牛|龙头|适合我)",
        r"(哪|那)(只|支|些)(股票?|基金|票)[^,，。?？]{0,4}(买|入)|牛股|黑马股?|内幕(消息)?|小道消息|消息股|稳赚",
        r"(该不该|应不应该|值不值得|要不要)(现在|今天|再)?[^,，。?？]{0,4}(上杠杆|加杠杆|开杠杆|融资(?!融券))",
        r"\bwhat (price )?(will|would)\b.{0,40}\b(trade at|trading at|be worth|be trading|cost next|hit)\b",
        r"保(证)?(赚|收益|本)|(怎么|如何|帮我)(配置|分配)(资产|资金|仓位|投资)|帮我(配置|理财|操盘|选)",
        r"(套牢|被套|亏了?).{0,14}(怎么办|割|卖|补仓|等|止损)",
        r"\bshould i\b.{0,30}\b(buy|buying|sell|selling|hold|holding|keep|invest|short|dump|cash out|get (in|out)|exit|enter"
        r"|average down|double down|wait for|go (long|short|all in)|take profits?|cut (my )?loss)",
        r"\b(good|great|right|best|bad|wise|smart|better|safe|ideal|perfect) (time|moment|idea|buy|investment|stock|entry|"
        r"point|bet|pick|long[- ]term)s?\b.{0,16}\b(to (buy|sell|invest|enter|exit|get)|buy|invest|now|today|stock|fund|"
        r"shares?|right now)\b",
        r"\b(is|are)\b.{0,30}\b(a|an) (good|great|solid|safe|strong|bad) (buy|investment|stock|bet|pick)\b",
        r"\btime to (buy|sell)\b(?! or sell)",
        r"\b(which|what)\b[^?.]{0,20}\b(stocks?|funds?|etfs?|shares?|sectors?|compan(y|ies)|bonds?|"
        r"ipos?)\b[^?.]{0,24}\b(to (buy|invest|pick|get|hold)|should|best|better|good|recommend|go up|grow|rise|worth|"
        r"outperform|winners?|hot)\b",
        r"\b(what|which( ones?| of them)?) (to|should i|shall i|i should) (dump|drop|keep|hold|ditch|cut|add to)\b",
        r"\bwhat (to|should i|shall i) (buy|sell|invest|pick)|\bbest (stocks?|funds?|etfs?|shares?|sectors?)\b",
        r"\b(recommend|recommendations?|suggest|suggestions?|tips?|picks?)\b.{0,30}\b(stocks?|funds?|etfs?|shares?|invest\w*"
        r"|portfolio|sectors?|bonds?|buy|ipos?)\b",
        r"\b(stock|share|fund|investment|trading|hot|insider) (tips?|picks?|recommendations?|ideas?|advice|suggestions?)\b",
        r"\b(price|market|index|stock|share)\b.{0,12}\b(target|prediction|predictions|forecast|outlook)\b",
        r"\b(predict|forecast)\b",
        r"\bwhen (should i|to|shall i|is (it|the) (best|good|right)( time)?( to)?) (buy|sell|enter|exit|invest|get)\b",
        r"\bworth (buying|investing|holding|it to (buy|invest))|\b(bullish|bearish|undervalued|overvalued|buy the dip)\b",
        r"\bguarantee\w*\b.{0,20}\b(profits?|returns?|gains?|income)\b|\bmake (me )?(rich|money fast)\b|\bdouble my money\b",
        r"\bwhat do you think (of|about)\b.{0,30}\b(stock|shares?|fund|market|moutai|sector|etf|price)",
        r"\bhow (should|would you|do i best) (i )?(invest|allocate|diversify)",
        r"\b(allocate|build|design|manage) my (portfolio|money|savings)",
    ),
    any_of(
        r"电影|餐厅|饭店|歌曲|游戏|手机|电脑|\b(movie|restaurant|hotel|song|book|game|i?phone|laptop)s?\b",
    ),
)

FORECAST = Topic(
    "advice",
    any_of(
        r"(会不会|会|还会|能不能|还要|要)(继续|大幅|再|一直)?(涨|跌|反弹|回调|大涨|大跌|翻倍|暴涨|暴跌|崩盘|涨停|跌停|触底|"
        r"见顶|起飞|解套|回本|反转)(?!幅|停板|停制)",
        r"\b(will|would|is|are|gonna|going to|could|can|might)\b.{0,40}\b(go(ing)? (up|down|higher|lower)|rise|rising|fall|"
        r"falling|crash|drop|rally|rebound|recover|bounce|double|moon|tank|outperform|skyrocket|keep (rising|falling))\b",
    ),
    any_of(
        _FEES,
        r"(涨跌幅|涨跌停|涨停板|跌停板).{0,10}(限制|规则|制度|多少|是什么)",
        r"密码|登录|app.{0,6}(崩|卡|闪退)|\b(app|server|website|system|platform)\b.{0,16}\b(crash|down|recover)",
    ),
)

TRADE = Topic(
    "trade",
    any_of(
        r"(帮|替|给|代)我[^,，。?？]{0,6}(买|卖|抛|清仓|下单|挂单|撤单|撤了|申购|赎回|平仓|全仓|市价|加仓|减仓)",
        r"(^|[,，。 ])(买入?|卖出?|挂单|市价(买|卖)|限价(买|卖))[^,，。?？]{0,12}\d+ ?(股|手|份|元|块|万|张)",
        r"(我要|我想|立刻|马上|现在|立即|赶紧)(买入?|卖出?|抛|清仓)[^,，。?？]{0,12}\d+ ?(股|手|份|元|块|万|张)",
        r"(都|全部?|一半|全都)(给我|帮我)?(卖|抛|清)(了|掉|光|仓)(?!吗|么)",
        r"下(一|1|个|一个)?单[^,，。?？]{0,4}(试试|试一下|看看)|^(从|把|用)(我)?(的)?(资金|证券)?(账户|账上)[^,，。?？]{0,8}(打|转|汇|划)[^,，。?？]{1,10}给",
        r"^((can|could|would|will) you )?(please |pls |just )*(wire|send|transfer|move) (me )?([$¥]|usd |cny |hkd |rmb )?\d",
        r"^would you be so kind.{0,12}\b(buy|sell|cancel|transfer|place)\b",
        r"^((can|could|would|will) you )?(please |pls |just |hey,? |now )*(go ahead and )?(buy|sell|purchase|short|dump|"
        r"liquidate|redeem)( me)? (all|half|some|everything|\d|my|a lot|one hundred|the rest|\w+ (for me|now|at market))",
        r"\b(buy|sell|purchase|redeem|short|liquidate|cancel|place|submit|execute)\b.{0,40}\b(for me|on my behalf|"
        r"at (the )?market( price)?|right away|immediately)\b",
        r"^(please |can you |could you )*(place|submit|enter|execute|cancel) (a|an|my|the|this) .{0,16}order\b",
        r"\b(i want|i'?d like|i need) (you )?to (buy|sell|purchase)\b.{0,12}\d+ ?(shares?|lots?|units?|of)",
        r"\b(please|just|go ahead and|for me)\b.{0,12}\b(get rid of|dump|unload|offload)\b.{0,20}\b(stocks?|shares?|positions?|holdings?|funds?)\b",
    ),
    any_of(r"怎么|如何|能不能|可以.{0,12}吗|多少钱|流程|为什么|\bhow\b|\bwhy\b|\bwhen\b|\bcan i\b|\bwhat\b"),
)
