/* assert.h: assertions about our own mistakes. They stay on in release builds.
 *
 * One condition each. Bytes that come from disk or network are checked and answered with a status,
 * never asserted. A failed assertion prints file, line and condition to standard error and aborts.
 * May be used from any thread. */
#ifndef KVD_BASE_ASSERT_H
#define KVD_BASE_ASSERT_H

/* Reports the broken condition and aborts; never returns. */
_Noreturn void assert_failed(const char *condition, const char *file, int line);

#define ASSERT(condition)                                                                          \
    (__builtin_expect(!(condition), 0) ? assert_failed(#condition, __FILE__, __LINE__) : (void)0)

#endif
