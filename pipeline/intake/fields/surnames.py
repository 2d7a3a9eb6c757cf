"""Common Han surnames: enough to tell two names in one cell from one name with a space in it."""

from __future__ import annotations

# the hundred that most people bear, with their traditional forms; a name that begins otherwise is not judged by them
COMMON = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔"
    "谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常"
    "張劉陳楊黃趙吳孫馬羅鄭謝許韓鄧馮盧蘇呂鍾譚陸韋賈鄒龍賀顧錢嚴蕭葉蔣"
)
_PAIRS = (
    "欧阳上官司马诸葛司徒东方独孤南宫万俟闻人夏侯尉迟公羊澹台公冶宗政濮阳淳于单于太叔申屠公孙仲孙轩辕令狐钟离宇文长孙慕容鲜于"
    "闾丘司空呼延端木皇甫拓跋百里东郭南门西门第五歐陽司馬諸葛東方尉遲公孫鍾離長孫"
)
COMPOUND_SURNAMES = frozenset(_PAIRS[place : place + 2] for place in range(0, len(_PAIRS), 2))


def begins_like_a_name(text: str) -> bool:
    """Tell whether the text starts with a common surname that something follows."""
    return (text[:1] in COMMON and len(text) > 1) or text[:2] in COMPOUND_SURNAMES
