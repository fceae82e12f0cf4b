/** How many threads of one relay may serve clients. */
export const maxWorkers = 64;
