"""Texts that would act if a page or a terminal took them for more than texts."""

__all__ = ["ACTS", "AROUND", "TEXTS", "expected_text"]

ACTS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=//evil.example/x.png>",
    "<svg onload=alert(1)>",
    "<svg><script href=data:,alert(1)></script></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href=javascript:alert(1) autofocus onfocus=alert(1)>x</a>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<body onload=alert(1)>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css'; * { background: url(//evil.example/y) }</style>",
    "<base href=//evil.example/>",
    "<form action=//evil.example><button>x</button></form>",
    "<object data=//evil.example/x.swf></object>",
    "<embed src=//evil.example/x.svg>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=//evil.example/x.mp3 autoplay>",
    "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "{{ 7 * 7 }} {% include '/etc/passwd' %} {# x #}",
    "${alert(1)} `${alert(1)}` #{7*7}",
    "=HYPERLINK('//evil.example','x')",
    "'; alert(1); //",
    '"; alert(1); //',
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "<SCRIPT SRC=//EVIL.EXAMPLE/X.JS></SCRIPT>",
    "<scr\0ipt>alert(1)</scr\0ipt>",
    "<p style=\"background:url('//evil.example')\">",
    "\x1b]8;;//evil.example\x07x\x1b]8;;\x07\x1b[2J",
    "\u202e)1(trela\u202c \u2066x\u2069 \u200f \u061c \ufeff \u00ad",
    "\u2028alert(1)\u2029\x85\x0b\x0c\r\n\r\n\tx",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "👩\u200d👩\u200d👧 🏴\U000e0067\U000e0062\U000e0065\U000e007f é e\u0301 \U0010ffff \ufffe",
    "w" * 4_000,
    "<" * 300 + ">" * 300,
    "\u0600\u06dd " + "\u0e01\u0e34" * 50,
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\\x3cscript\\x3e \\074script\\076 </textarea></title></style></option></table>",
)
"""What would act if a page or a terminal took it for more than a text."""

AROUND = (
    ("", ""),
    ('"', '"'),
    ("'", "'"),
    ("'>", "<'"),
    ('">', '<"'),
    ("--><", "><!--"),
    ("</p></td></svg></text></style></script>", "<p>"),
    ("]]>", "<![CDATA["),
    ("&quot;&#34;&", ";"),
    ("\u2067a ", " \u202e\u2069b"),
)
"""How it may get out of where it stands."""

TEXTS = [f"{before}{act}{after} x" for act in ACTS for before, after in AROUND]


def expected_text(text: str) -> str:
    """Return what is read back: HTML cannot hold NUL."""
    return text.replace("\0", "␀")
