/* toml_scalar.c: the values of TOML that are written without quotes.
 *
 * What a token is shows in its first characters: digits and '-' at the fifth place begin a date,
 * digits and ':' at the third a time, 0x 0o 0b a number in another base; a '.', 'e' or 'E' makes a
 * float. strtod is used for floats; kvd never sets a locale, so the decimal point is a point. */
#include "server/toml_scalar.h"

#include <math.h>
#include <stdlib.h>

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

static bool equals(struct slice token, const char *text) {
    return slice_equal(token, slice_from_text(text));
}

static struct slice rest_from(struct slice token, size_t start) {
    return slice_make(token.ptr + start, token.len - start);
}

/* ---- Dates and times ------------------------------------------------------------------------- */

/* A run of digits at *token, exactly `digits` long, within [least, greatest]. */
static bool take_digits(struct slice *token, size_t digits, unsigned least, unsigned greatest,
                        unsigned *number_out) {
    unsigned number = 0;

    if (token->len < digits) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        if (!is_digit(token->ptr[i])) {
            return false;
        }
        number = number * 10 + (unsigned)(token->ptr[i] - '0');
    }
    *token = rest_from(*token, digits);
    *number_out = number;
    return number >= least && number <= greatest;
}

static bool take_byte(struct slice *token, char byte) {
    if (token->len == 0 || token->ptr[0] != (uint8_t)byte) {
        return false;
    }
    *token = rest_from(*token, 1);
    return true;
}

static unsigned days_of_month(unsigned year, unsigned month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(struct slice *token, struct toml_date_time *out) {
    unsigned year;
    unsigned month;
    unsigned day;

    if (!take_digits(token, 4, 0, 9999, &year) || !take_byte(token, '-') ||
        !take_digits(token, 2, 1, 12, &month) || !take_byte(token, '-') ||
        !take_digits(token, 2, 1, days_of_month(year, month), &day)) {
        return false;
    }
    out->year = (uint16_t)year;
    out->month = (uint8_t)month;
    out->day = (uint8_t)day;
    return true;
}

/* Digits after the point; those beyond nanoseconds are cut, as the specification allows. */
static bool take_fraction(struct slice *token, uint32_t *nanosecond_out) {
    uint32_t unit = 100000000;
    uint32_t nanosecond = 0;
    size_t digits = 0;

    while (digits < token->len && is_digit(token->ptr[digits])) {
        nanosecond += (uint32_t)(token->ptr[digits] - '0') * unit;
        unit /= 10;
        digits++;
    }
    *token = rest_from(*token, digits);
    *nanosecond_out = nanosecond;
    return digits > 0;
}

static bool take_time(struct slice *token, struct toml_date_time *out) {
    unsigned hour;
    unsigned minute;
    unsigned second;

    if (!take_digits(token, 2, 0, 23, &hour) || !take_byte(token, ':') ||
        !take_digits(token, 2, 0, 59, &minute) || !take_byte(token, ':') ||
        !take_digits(token, 2, 0, 60, &second)) {
        return false;
    }
    out->hour = (uint8_t)hour;
    out->minute = (uint8_t)minute;
    out->second = (uint8_t)second;
    return !take_byte(token, '.') || take_fraction(token, &out->nanosecond);
}

static bool take_offset(struct slice *token, struct toml_date_time *out) {
    unsigned hour;
    unsigned minute;
    int sign;

    if (take_byte(token, 'Z') || take_byte(token, 'z')) {
        return true;
    }
    sign = take_byte(token, '-') ? -1 : 1;
    if ((sign == 1 && !take_byte(token, '+')) || !take_digits(token, 2, 0, 23, &hour) ||
        !take_byte(token, ':') || !take_digits(token, 2, 0, 59, &minute)) {
        return false;
    }
    out->offset_minutes = (int16_t)(sign * (int)(hour * 60 + minute));
    return true;
}

static bool parse_date(struct slice token, struct toml_value *value_out) {
    struct toml_date_time date_time = {0};

    value_out->type = TOML_LOCAL_DATE;
    if (!take_date(&token, &date_time)) {
        return false;
    }
    if (token.len > 0) {
        value_out->type = TOML_LOCAL_DATE_TIME;
        if (!take_byte(&token, 'T') && !take_byte(&token, 't') && !take_byte(&token, ' ')) {
            return false;
        }
        if (!take_time(&token, &date_time)) {
            return false;
        }
    }
    if (token.len > 0) {
        value_out->type = TOML_OFFSET_DATE_TIME;
        if (!take_offset(&token, &date_time)) {
            return false;
        }
    }
    value_out->as.date_time = date_time;
    return token.len == 0;
}

static bool parse_time(struct slice token, struct toml_value *value_out) {
    struct toml_date_time date_time = {0};

    if (!take_time(&token, &date_time) || token.len > 0) {
        return false;
    }
    value_out->type = TOML_LOCAL_TIME;
    value_out->as.date_time = date_time;
    return true;
}

static bool digits_before(struct slice token, size_t count, char mark) {
    if (token.len <= count || token.ptr[count] != (uint8_t)mark) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(token.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool toml_scalar_is_date(struct slice token) {
    struct toml_date_time date_time = {0};

    return digits_before(token, 4, '-') && take_date(&token, &date_time) && token.len == 0;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static bool digit_of_base(uint8_t byte, unsigned base, unsigned *digit_out) {
    unsigned digit;

    if (is_digit(byte)) {
        digit = (unsigned)(byte - '0');
    } else if (byte >= 'a' && byte <= 'f') {
        digit = (unsigned)(byte - 'a') + 10;
    } else if (byte >= 'A' && byte <= 'F') {
        digit = (unsigned)(byte - 'A') + 10;
    } else {
        return false;
    }
    *digit_out = digit;
    return digit < base;
}

/* The length of a run of digits with single underscores between them; 0 if it does not begin or
 * end with a digit. */
static size_t digit_run(struct slice token, unsigned base) {
    unsigned digit;
    size_t len = 0;

    while (len < token.len) {
        bool joins = token.ptr[len] == '_' && len > 0 && token.ptr[len - 1] != '_';
        if (!joins && !digit_of_base(token.ptr[len], base, &digit)) {
            break;
        }
        len++;
    }
    return len > 0 && token.ptr[len - 1] == '_' ? 0 : len;
}

/* The digits as a number up to `greatest`. */
static bool sum_digits(struct slice digits, unsigned base, uint64_t greatest,
                       uint64_t *number_out) {
    uint64_t number = 0;

    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit;
        if (digits.ptr[i] == '_' || !digit_of_base(digits.ptr[i], base, &digit)) {
            continue;
        }
        if (number > (greatest - digit) / base) {
            return false;
        }
        number = number * base + digit;
    }
    *number_out = number;
    return true;
}

static const char *parse_based(struct slice token, unsigned base, struct toml_value *value_out) {
    struct slice digits = rest_from(token, 2);
    uint64_t number;

    if (digit_run(digits, base) != digits.len || digits.len == 0) {
        return "expected digits of the base, with single '_' between them";
    }
    if (!sum_digits(digits, base, INT64_MAX, &number)) {
        return "the integer does not fit 64 bits";
    }
    value_out->type = TOML_INTEGER;
    value_out->as.integer = (int64_t)number;
    return NULL;
}

static const char *parse_decimal(struct slice digits, bool negative, struct toml_value *value_out) {
    uint64_t greatest = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t number;

    if (!sum_digits(digits, 10, greatest, &number)) {
        return "the integer does not fit 64 bits";
    }
    value_out->type = TOML_INTEGER;
    /* negated as unsigned, so that the least integer does not overflow on its way */
    value_out->as.integer = (int64_t)(negative ? 0 - number : number);
    return NULL;
}

/* Whether digits, then [.digits] [e[+-]digits], make up the token. */
static bool is_float(struct slice token) {
    size_t run = digit_run(token, 10);
    struct slice rest = rest_from(token, run);

    if (run == 0) {
        return false;
    }
    if (take_byte(&rest, '.')) {
        run = digit_run(rest, 10);
        if (run == 0) {
            return false;
        }
        rest = rest_from(rest, run);
    }
    if (take_byte(&rest, 'e') || take_byte(&rest, 'E')) {
        if (!take_byte(&rest, '-')) {
            (void)take_byte(&rest, '+');
        }
        run = digit_run(rest, 10);
        if (run == 0) {
            return false;
        }
        rest = rest_from(rest, run);
    }
    return rest.len == 0;
}

static const char *parse_float(struct slice token, bool negative, struct toml_value *value_out) {
    char text[TOML_TOKEN_BYTES_MAX + 1];
    size_t len = 0;
    double real;

    if (!is_float(token)) {
        return "expected a number such as 12, 1_000, 0x1F, 1.5 or 2e6";
    }
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] != '_') {
            text[len++] = (char)token.ptr[i];
        }
    }
    text[len] = '\0';
    real = strtod(text, NULL);
    if (isinf(real)) {
        return "the float is too large";
    }
    value_out->type = TOML_FLOAT;
    value_out->as.real = negative ? -real : real;
    return NULL;
}

/* What follows the sign. */
static const char *parse_unsigned(struct slice token, bool negative, struct toml_value *value_out) {
    if (equals(token, "inf") || equals(token, "nan")) {
        double real = token.ptr[0] == 'i' ? (double)INFINITY : (double)NAN;
        value_out->type = TOML_FLOAT;
        value_out->as.real = negative ? -real : real;
        return NULL;
    }
    if (token.len > 1 && token.ptr[0] == '0' && (is_digit(token.ptr[1]) || token.ptr[1] == '_')) {
        return "a number does not begin with a 0 before other digits";
    }
    if (token.len > 0 && digit_run(token, 10) == token.len) {
        return parse_decimal(token, negative, value_out);
    }
    return parse_float(token, negative, value_out);
}

static const char *parse_number(struct slice token, struct toml_value *value_out) {
    bool negative = token.ptr[0] == '-';
    bool is_signed = negative || token.ptr[0] == '+';

    if (token.len > 1 && token.ptr[0] == '0') {
        switch (token.ptr[1]) {
        case 'x':
            return parse_based(token, 16, value_out);
        case 'o':
            return parse_based(token, 8, value_out);
        case 'b':
            return parse_based(token, 2, value_out);
        default:
            break;
        }
    }
    return parse_unsigned(is_signed ? rest_from(token, 1) : token, negative, value_out);
}

/* ---- Which of them --------------------------------------------------------------------------- */

static const char *parse_token(struct slice token, struct toml_value *value_out) {
    bool yes = equals(token, "true");

    if (yes || equals(token, "false")) {
        value_out->type = TOML_BOOL;
        value_out->as.yes = yes;
        return NULL;
    }
    if (digits_before(token, 4, '-')) {
        return parse_date(token, value_out)
                   ? NULL
                   : "expected a date such as 2026-01-31 or 2026-01-31T12:00:00Z";
    }
    if (digits_before(token, 2, ':')) {
        return parse_time(token, value_out) ? NULL
                                            : "expected a time such as 12:00:00 or 07:32:00.5";
    }
    if (is_digit(token.ptr[0]) || token.ptr[0] == '+' || token.ptr[0] == '-' ||
        equals(token, "inf") || equals(token, "nan")) {
        return parse_number(token, value_out);
    }
    return "expected a value; text stands in quotes";
}

enum status toml_scalar_parse(struct slice token, struct toml_value *value_out,
                              const char **reason_out) {
    struct toml_value value = *value_out;
    const char *reason;

    if (token.len == 0) {
        reason = "expected a value";
    } else if (token.len > TOML_TOKEN_BYTES_MAX) {
        reason = "the number is too long";
    } else {
        reason = parse_token(token, &value);
    }
    if (reason) {
        *reason_out = reason;
        return STATUS_INVALID;
    }
    *value_out = value;
    return STATUS_OK;
}
