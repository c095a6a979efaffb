// Closes what target_begin.h opened.
#if defined(MNEME_TARGET_FEATURES)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef MNEME_TARGET_FEATURES
#endif
#undef MNEME_TARGET_NAMESPACE
