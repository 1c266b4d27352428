/* For cppcheck alone, which does not read the headers of the system. */
#define TAILQ_HEAD(name, type) struct name { struct type *tqh_first, **tqh_last; }
#define LIST_HEAD(name, type) struct name { struct type *lh_first; }
#define LIST_FOREACH(element, head, field) \
	for ((element) = (head)->lh_first; (element); (element) = (element)->field.le_next)
#define HASH_ITER(hh, head, element, next) \
	for ((element) = (head), (next) = NULL; (element); (element) = (next))
#define TAILQ_FOREACH(element, head, field) \
	for ((element) = (head)->tqh_first; (element); (element) = (element)->field.tqe_next)
