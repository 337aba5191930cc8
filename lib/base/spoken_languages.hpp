// The grammars that are built in. Data: what a language needs beyond them is a line here, or a file
// of the user's.
#pragma once

#include <array>
#include <string_view>

namespace tandem {

struct SpokenLanguage {
  std::string_view name, grammar;
};

// Files are named as Asterisk's sound packs name them, as far as these have them.
inline constexpr std::array spoken_languages = {
    SpokenLanguage{"en", R"(
[number]
0: digits/#
20: digits/20 >
30: digits/30 >
40: digits/40 >
50: digits/50 >
60: digits/60 >
70: digits/70 >
80: digits/80 >
90: digits/90 >
100: < digits/hundred >
1000: < digits/thousand >
1000000: < digits/million >
1000000000: < digits/billion >
1000000000000: !
[minutes]
0: = minutes
1: = minute
2: = minutes
[time]
0: = seconds
1: = second
2: = seconds
60/60: <minutes
[units]
0: = currency/$
[units USD]
0: = digits/dollars
1: = dollar|digits/dollars
2: = digits/dollars
[units EUR]
0: = euros|currency/EUR
1: = euro|currency/EUR
2: = euros|currency/EUR
[cents]
0: =
[cents USD]
0: = cents|
1: = cent|cents|
2: = cents|
[cents EUR]
0: = cents|
1: = cent|cents|
2: = cents|
[amount]
0/100: <units >and
[amount JPY]
0/100: <units
[and]
1: vm-and =cents
[remaining_time]
0: vm-youhave =time
[remaining_amount]
0: vm-youhave =amount
)"},
    SpokenLanguage{"es", R"(
[number]
0: digits/#
30: digits/30 >and
40: digits/40 >and
50: digits/50 >and
60: digits/60 >and
70: digits/70 >and
80: digits/80 >and
90: digits/90 >and
100: digits/100|digits/hundred
101: digits/100-and >
200: digits/200 >
300: digits/300 >
400: digits/400 >
500: digits/500 >
600: digits/600 >
700: digits/700 >
800: digits/800 >
900: digits/900 >
1000: digits/thousand >
2000/1000: < digits/thousand >
1000000/1000000: digits/1M digits/million >
2000000/1000000: < digits/millions >
1000000000000: !
[and]
1: digits/and =
[minutes]
0: = minutes
1: digits/1M minute|queue-minute
2: = minutes
[time]
0: = seconds
1: digits/1M second|seconds
2: = seconds
60/60: <minutes
[units]
0: = currency/$
[units USD]
0: = digits/dollars
1: digits/1M dollar|letters/dollar
2: = digits/dollars
[cents]
0: = cents|
[amount]
0/100: <units >with
[amount JPY]
0/100: <units
[with]
1: vm-and =cents
[remaining_time]
0: vm-youhave =time
[remaining_amount]
0: vm-youhave =amount
)"},
    // Groups of four digits, a zero for what is skipped between them, and another two before
    // measure words: 10,020 is "one ten-thousand zero two ten", two minutes are "liang minute".
    SpokenLanguage{"zh", R"(
[number]
0: digits/#
10: digits/10 >
20: < digits/10 >
100: < digits/hundred >in_hundred
1000: <count digits/thousand >in_thousand
10000: <count digits/ten-thousand >in_ten_thousand
100000000: <count digits/hundred-million >in_hundred_million
1000000000000: !
[inner]
1: digits/#
10: < digits/10 >
100: =
[in_hundred]
1: digits/0 =
10: =inner
[in_thousand]
1: digits/0 =inner
100: =
[in_ten_thousand]
1: digits/0 =inner
1000: =
[in_hundred_million]
1: digits/0 =inner
10000000: =
[count]
0: =
2: digits/2-liang|digits/2
3: =
[time]
0: =count seconds
60/60: <count minutes
[units]
0: =count currency/$
[cents]
1: = cents
[amount]
0/100: <units
1/100: >cents
100/100: <units >cents
[amount CNY]
0/100: <units
1/100: >jiao
100/100: <units >and_jiao
[jiao]
1: = fen
10/10: < jiao >fen
[and_jiao]
1: digits/0 = fen
10/10: < jiao >fen
[fen]
1: = fen
[amount JPY]
0/100: <units
[remaining_time]
0: vm-youhave =time
[remaining_amount]
0: vm-youhave =amount
)"},
};

}  // namespace tandem
