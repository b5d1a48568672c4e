"""Invented names: a surname and a given name by turns, so that the same number always has the same one."""

from __future__ import annotations

from typing import Final

_SURNAMES: Final = (
    "沈:Shen 韩:Han 姜:Jiang 唐:Tang 邓:Deng 许:Xu 袁:Yuan 曹:Cao 彭:Peng 曾:Zeng 萧:Xiao 田:Tian 董:Dong 潘:Pan 余:Yu 叶:Ye 程:Cheng "
    "魏:Wei 薛:Xue 阎:Yan 丁:Ding 任:Ren 钟:Zhong 汪:Wang 戴:Dai 崔:Cui 陆:Lu 廖:Liao 姚:Yao 方:Fang 金:Jin 邱:Qiu 夏:Xia 谭:Tan 韦:Wei 贾:Jia "
    "邹:Zou 石:Shi 熊:Xiong 孟:Meng 秦:Qin"
)
_GIVEN: Final = (
    "书昀:Shuyun 砚秋:Yanqiu 予白:Yubai 乐川:Lechuan 清沅:Qingyuan 知行:Zhixing 若棠:Ruotang 景澄:Jingcheng 疏桐:Shutong 南乔:Nanqiao 云舟:Yunzhou "
    "怀瑾:Huaijin 听澜:Tinglan 屿安:Yu'an 星野:Xingye 以宁:Yining 牧之:Muzhi 禾苗:Hemiao 亦舒:Yishu 望舒:Wangshu 临溪:Linxi 嘉木:Jiamu 栖迟:Qichi "
    "念慈:Nianci 问渠:Wenqu 朝晖:Zhaohui 素问:Suwen 澄宇:Chengyu 采薇:Caiwei 浩初:Haochu 见微:Jianwei 松筠:Songyun 晴岚:Qinglan 铭远:Mingyuan 思齐:Siqi "
    "宛央:Wanyang 鹤鸣:Heming 初夏:Chuxia 明哲:Mingzhe 岁寒:Suihan 雨霁:Yuji 承泽:Chengze 灵均:Lingjun"
)


def name(number: int) -> tuple[str, str]:
    """The Chinese and the English name of customer `number`; no two alike below 1,763."""
    surnames, given_names = _SURNAMES.split(), _GIVEN.split()
    surname, given = surnames[number % len(surnames)].split(":"), given_names[(number * 5 + 3) % len(given_names)].split(":")
    return surname[0] + given[0], f"{surname[1]} {given[1]}"
