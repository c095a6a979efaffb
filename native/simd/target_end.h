// Closes what target_begin.h opened.
#if !defined(MNEME_PORTABLE)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
#undef MNEME_TARGET_NAMESPACE
